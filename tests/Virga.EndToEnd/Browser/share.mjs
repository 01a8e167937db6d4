// Looks at the share page with axe-core, and photographs it: a private share with a text shown, a public one with its
// torrent, and what it says of a link that was cut short.
import { find, gallery, photograph, run, settings, visit } from './visitor.mjs';

// A visitor's own agent: its page is where 'bring it into my cloud' leads, with the link, key and all, behind the #.
async function bring() {
  const own = await visit({ ...settings.own, isCut: true });
  const asked = [];
  own.context.on('request', request => asked.push(request.url() + (request.postData() ?? '')));
  await own.page.goto(settings.own.link);
  await own.page.fill('#password', settings.own.password);
  await own.page.fill('#again', settings.own.password);
  await own.page.getByRole('button', { name: 'Set the password' }).click();
  await own.page.locator('#recovery-code').waitFor();
  const shared = settings.agent.link + settings.pages['share-private'];
  for (const isSignedIn of [true, false]) {
    if (!isSignedIn) await own.context.clearCookies();
    await own.page.goto(shared);
    await own.page.locator('#bring summary').click();
    const link = await own.page.locator('#link').inputValue();
    if (await own.page.locator('#agent').inputValue() !== (isSignedIn ? '' : own.home)) find('remembered', 'not as ticked');
    await own.page.locator('#agent').fill('http://example.org');
    await own.page.getByRole('button', { name: 'Bring it there' }).click();
    await own.page.getByText('it must begin with https').waitFor();
    await own.page.locator('#agent').fill(own.home.slice('http://'.length) + '/files');
    await own.page.locator('#keep').setChecked(true);
    if (isSignedIn) await photograph(own.page, 'share-bring');
    await own.page.getByRole('button', { name: 'Bring it there' }).click();
    if (!isSignedIn) {
      await own.page.fill('#password', settings.own.password);
      await own.page.locator('main button[type=submit]').click();
    }
    await own.page.waitForURL(`${own.home}/get`);
    await own.page.waitForFunction(text => document.getElementById('link')?.value === text, link);
    const key = link.slice(link.indexOf('#') + 1);
    for (const url of asked) if (url.includes(key)) find('key-sent', url);
    if (own.page.url().includes('#')) find('key-in-address', own.page.url());
    const kept = await own.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    if (kept.includes(key)) find('key-kept', kept);
  }
  await own.context.close();
}

await run(async () => {
  await bring();
  await gallery(settings.agent, settings.pages, undefined, async (page, name) => {
    if (name === 'share-problem') {
      await page.locator('#problem').waitFor();
      return;
    }
    await page.locator('#files').waitFor();
    await page.getByRole('button', { name: 'Show note.txt' }).click();
    await page.getByText('written for all').waitFor();
    await page.locator('details').evaluate(details => { details.open = true; });
  });
});
