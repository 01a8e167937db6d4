// Signs in to one agent's page by passkeys as a person would, with the virtual authenticator of Chromium's debugger.
import { check, find, gallery, photograph, run, settings, visit } from './visitor.mjs';

const device = {
  protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
  automaticPresenceSimulation: true,
};

// The browser's device from now on, with the passkeys that it has.
async function withAuthenticator(open, credentials = []) {
  const session = await open.context.newCDPSession(open.page);
  await session.send('WebAuthn.enable');
  let authenticatorId;
  const change = async known => {
    if (authenticatorId) await session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
    ({ authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', { options: device }));
    for (const credential of known) await session.send('WebAuthn.addCredential', { authenticatorId, credential });
  };
  await change(credentials);
  return {
    change,
    credentials: async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    refuse: isRefused => session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: !isRefused }),
  };
}

const signIn = page => page.getByRole('button', { name: 'Sign in with a passkey' }).click();
const inFiles = page => page.getByRole('heading', { name: /Bring in your first storage|Files/ }).first().waitFor();

await run(async () => {
  const agent = settings.agent;
  const one = await visit(agent);
  const first = await withAuthenticator(one);
  await one.page.goto(agent.link);
  await one.page.getByRole('button', { name: 'Use a passkey' }).waitFor();
  await check(one.page, 'welcome-passkey');
  await photograph(one.page, 'welcome-passkey');
  // Who is not verified gets no passkey, and is told so on the page.
  await first.refuse(true);
  await one.page.getByRole('button', { name: 'Use a passkey' }).click();
  await one.page.getByText('No passkey was given').waitFor();
  await first.refuse(false);
  await one.page.getByRole('button', { name: 'Use a passkey' }).click();
  await one.page.locator('#recovery-code').waitFor();
  await one.page.getByRole('link', { name: 'I have kept it' }).click();
  await inFiles(one.page);
  const [phoneKey] = await first.credentials();

  // Another browser signs in by it; what it sent is sent again by a third, and is good for nothing.
  const two = await visit(agent);
  const second = await withAuthenticator(two, [phoneKey]);
  await two.page.goto(`${two.home}/sign-in`);
  await check(two.page, 'sign-in-passkey');
  await photograph(two.page, 'sign-in-passkey');
  const sent = two.page.waitForRequest(r => r.method() === 'POST' && r.url().endsWith('/sign-in'));
  await signIn(two.page);
  const stolen = (await sent).postData();
  await inFiles(two.page);
  const thief = await visit({ ...agent, isCut: true });
  await thief.page.goto(`${thief.home}/sign-in`);
  const replayed = await thief.page.evaluate(async body => {
    const form = new FormData(document.querySelector('form[data-passkey]'));
    const old = new URLSearchParams(body);
    for (const name of ['Key.Mark', 'Key.Credential']) form.set(name, old.get(name));
    const answer = await fetch('/sign-in', { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
    return answer.type === 'opaqueredirect' ? 'let in' : await answer.text();
  }, stolen);
  if (!replayed.includes('used already')) find('replayed', replayed.slice(0, 200));
  await thief.context.close();

  // One more. This device has one already, and says so; another one makes it, after the first has proven who it is.
  const page = two.page;
  await page.goto(`${two.home}/settings`);
  const keys = page.locator('section', { has: page.getByRole('heading', { name: 'Passkeys' }) });
  const add = keys.getByRole('button', { name: 'Add a passkey' });
  await keys.locator('#passkey-name').fill('laptop');
  await add.click();
  await keys.getByText('has a passkey for this page already').waitFor();
  await page.route('**/passkey/new', async route => {
    await second.change([]);
    await route.continue();
  });
  await add.click();
  await keys.getByText('laptop').waitFor();
  const [laptopKey] = await second.credentials();
  // A name, the first one removed, and the last one kept.
  await keys.getByRole('button', { name: 'Rename laptop' }).click();
  await page.locator('#passkey-newname').fill('my laptop');
  await page.locator('dialog').getByRole('button', { name: 'Save' }).click();
  await keys.getByText('my laptop').waitFor();
  await check(page, 'settings-passkeys');
  await keys.screenshot({ path: `${settings.shots}/passkeys.png` });
  await keys.getByRole('button', { name: /^Remove (?!my laptop)/ }).click();
  await page.locator('dialog').getByRole('button', { name: 'Remove the passkey' }).click();
  await keys.getByRole('button', { name: /^Remove (?!my laptop)/ }).waitFor({ state: 'detached' });
  await keys.getByRole('button', { name: 'Remove my laptop' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Remove the passkey' }).click();
  await page.getByText('It is the last one').waitFor();

  const lost = await visit(agent);
  await withAuthenticator(lost, [phoneKey]);
  await lost.page.goto(`${lost.home}/sign-in`);
  await signIn(lost.page);
  await lost.page.getByText("not one of this page's").waitFor();
  await lost.context.close();
  const kept = await visit(agent);
  await withAuthenticator(kept, [laptopKey]);
  await kept.page.goto(`${kept.home}/sign-in`);
  await signIn(kept.page);
  await inFiles(kept.page);

  // By a number there are none, and the page says where there are.
  const number = await visit({ link: agent.link.replace('localhost', '127.0.0.1') });
  await number.page.goto(`${number.home}/sign-in`);
  await number.page.getByText('opened by a number').waitFor();
  await check(number.page, 'sign-in-number');
  await photograph(number.page, 'sign-in-number');
  await number.context.close();
  await gallery(agent, { 'passkey-sign-in': '/sign-in' }, undefined);
  await gallery(agent, { 'passkey-settings': '/settings' }, await kept.context.storageState());
});
