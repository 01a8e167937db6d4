// Drives two agents' pages as a person would: first run, account, share on one; first run, account, get on the other.
// Then every page of the first is looked at by axe-core and photographed, light and dark, on a desktop and a phone.
// node pages.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { check, find, gallery, photograph, run, settings, visit } from './visitor.mjs';

// The first run: from the one-time link to a page with nothing in it yet.
async function enter({ page }, agent) {
  await page.goto(agent.link);
  await page.fill('#password', 'short');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByText('too short').waitFor();
  await photograph(page, 'welcome');
  await page.fill('#password', agent.password);
  await page.fill('#again', agent.password);
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.locator('#recovery-code').waitFor();
  await page.getByRole('link', { name: 'I have kept it' }).click();
  await page.getByRole('heading', { name: 'Bring in your first storage' }).waitFor();
}

async function addAccount({ page }, name, folder) {
  await page.getByRole('link', { name: 'Add an account' }).first().click();
  await page.locator('#account-name').fill('Not A Name');
  await page.getByRole('button', { name: 'Add it' }).click();
  await page.getByText('Use 1 to 32 of').waitFor();
  await page.locator('#account-name').fill(name);
  await page.locator('#account-where').fill(folder);
  await page.getByRole('button', { name: 'Add it' }).click();
  await page.getByText('works').waitFor();
}

async function share({ page }, folder) {
  await page.goto(new URL(`/files/${folder.account}/`, page.url()).href);
  await page.getByRole('link', { name: folder.name, exact: true }).click();
  // Names that turn text around, or are markup, are shown as what they are.
  await page.getByText('cod[U+202E]exe.doc', { exact: true }).waitFor();
  await page.getByText('<img src=x onerror=alert(1)>', { exact: true }).waitFor();
  await photograph(page, 'folder');
  await page.getByRole('link', { name: 'Share this folder' }).click();
  await page.locator('#length').selectOption('date');
  await page.locator('#ends').fill('2020-01-01T12:00');
  await page.getByRole('button', { name: 'Make the link' }).click();
  await page.getByText('Choose a day and a time that are to come').waitFor();
  await page.locator('#length').selectOption('month');
  await page.getByRole('button', { name: 'Make the link' }).click();
  await page.getByRole('heading', { name: 'Your link is ready' }).waitFor();
  await page.locator('.list .chip', { hasText: 'ends in' }).waitFor();
  await photograph(page, 'shared');
  return await page.locator('.copyable input').first().inputValue();
}

// Of 22 files: none, the pictures, one less, and all again; the plan follows.
async function choose(page) {
  const sum = text => page.locator('.tree-sum', { hasText: text }).waitFor();
  await sum('22 of 22 files');
  await page.getByRole('button', { name: 'None', exact: true }).click();
  await sum('0 of 22 files');
  await page.locator('#content-filter').fill('*.jpg');
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await sum('20 of 22 files');
  await page.getByRole('checkbox', { name: /^7\.jpg/ }).click();
  await sum('19 of 22 files');
  await page.locator('.facts dd', { hasText: '19 files' }).waitFor();
  await check(page, 'choose');
  await photograph(page, 'choose');
  await page.locator('#content-filter').fill('nowhere');
  await page.getByText('Nothing in it has such a name').waitFor();
  await page.locator('#content-filter').fill('');
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await sum('22 of 22 files');
  await page.locator('.facts dd', { hasText: '22 files' }).waitFor();
}

// Limits at hours of the week, and a price of one's own: what is wrong stands beside its field, and nothing is lost.
async function setUp({ page }, home) {
  await page.goto(`${home}/settings`);
  await page.getByRole('button', { name: 'Add hours' }).click();
  const hours = page.locator('.hours');
  await hours.getByLabel('Sat').uncheck({ force: true });
  await hours.getByLabel('Sun').uncheck({ force: true });
  await page.locator('#receive-0').fill('fast');
  await page.locator('section', { has: page.locator('#limits') }).getByRole('button', { name: 'Save' }).click();
  await page.locator('#receive-0-more').getByText('Write a number above 0').waitFor();
  if (await page.locator('#receive-0').inputValue() !== 'fast') find('lost', 'what was typed as a rate');
  await page.locator('#receive-0').fill('2,5');
  await photograph(page, 'hours');
  await page.locator('section', { has: page.locator('#limits') }).getByRole('button', { name: 'Save' }).click();
  await page.locator('.toast').first().waitFor();
  await page.reload();
  await page.locator('#receive-0').waitFor();
  if (await page.locator('#receive-0').inputValue() !== '2.5') find('lost', 'the rate of the hours');
  if (await hours.getByLabel('Sat').isChecked()) find('lost', 'the days of the hours');
  const prices = page.locator('section', { has: page.locator('#prices') });
  await prices.locator('#price--hourIsWorth').fill('much');
  await prices.getByRole('button', { name: 'Save' }).click();
  await prices.getByText('Write an amount from 0 on').waitFor();
  await prices.locator('#price--hourIsWorth').fill('2.5');
  await prices.getByRole('button', { name: 'Save' }).click();
  await prices.getByText('Your own figure.').waitFor();
  await prices.getByRole('button', { name: /^Use what is shipped/ }).click();
  await prices.getByText('Your own figure.').waitFor({ state: 'detached' });
}

async function get({ page }, link, account) {
  await page.goto(new URL('/get', page.url()).href);
  await page.locator('#link').fill('https://example.org/');
  await page.getByRole('button', { name: 'See what is in it' }).click();
  await page.getByText('That is no link').waitFor();
  await page.locator('#link').fill(link);
  await page.locator('#target-account').selectOption(account);
  await page.getByRole('button', { name: 'See what is in it' }).click();
  await page.getByRole('heading', { name: 'The plan' }).waitFor();
  await choose(page);
  await photograph(page, 'plan');
  await page.getByRole('button', { name: 'Get it' }).click();
  await page.locator('.chip.good', { hasText: 'done' }).waitFor();
}

async function upload({ page }, folder, name, content) {
  await page.goto(new URL(`/files/${folder.account}/${folder.name}`, page.url()).href);
  await page.getByRole('button', { name: 'Upload' }).waitFor();
  await page.locator('input[type=file]').setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(content) });
  await page.getByRole('button', { name: name, exact: true }).waitFor();
  await page.getByRole('button', { name: name, exact: true }).click();
  await page.getByText(content).waitFor();
  await photograph(page, 'preview');
  await page.keyboard.press('Escape');
  await page.locator('.upload-list').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: `More for ${name}` }).click();
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.locator('#new-name').fill('a/b');
  await page.locator('dialog').getByRole('button', { name: 'Rename' }).click();
  await page.getByText('A name has no slash').waitFor();
  await page.locator('#new-name').fill(`renamed ${name}`);
  await page.locator('dialog').getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('button', { name: `renamed ${name}`, exact: true }).waitFor();
  await page.getByRole('button', { name: `More for renamed ${name}` }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: `renamed ${name}`, exact: true }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'New folder' }).click();
  await page.locator('#folder-name').fill('made here');
  await page.getByRole('button', { name: 'Make the folder' }).click();
  await page.getByRole('link', { name: 'made here', exact: true }).waitFor();
}

// A session that another one ends is over at once, with the page that is open in it.
async function endOthers({ page, home }) {
  const other = await visit({ link: home, isCut: true });
  await other.page.goto(home);
  await other.page.fill('#password', settings.sender.password);
  await other.page.locator('main button[type=submit]').click();
  await other.page.getByRole('heading', { name: 'Files' }).waitFor();
  await page.goto(`${home}/settings`);
  await page.getByRole('button', { name: 'Sign all others out' }).click();
  await other.page.waitForURL(/sign-in/);
  await other.context.close();
}

await run(async () => {
  const one = await visit(settings.sender);
  await enter(one, settings.sender);
  await addAccount(one, settings.sender.account, settings.sender.folder);
  const link = await share(one, { account: settings.sender.account, name: settings.sender.share });
  const two = await visit(settings.receiver);
  await enter(two, settings.receiver);
  await addAccount(two, settings.receiver.account, settings.receiver.folder);
  await get(two, link, settings.receiver.account);
  await upload(two, { account: settings.receiver.account, name: '' }, 'note.txt', 'written in a browser');
  await setUp(one, one.home);
  await endOthers(one);
  const places = {
    files: `/files/${settings.sender.account}`, accounts: '/files', share: '/share', get: '/get', people: '/people',
    network: '/network', settings: '/settings', add: '/settings/accounts/add',
  };
  await gallery(settings.sender, places, await one.context.storageState());
  await gallery(settings.receiver, { transfers: '/transfers' }, await two.context.storageState(), async page => {
    await page.locator('article.transfer summary').first().click();
    await page.getByRole('link', { name: 'Open the folder' }).first().waitFor();
  });
  await gallery(settings.sender, { 'sign-in': '/sign-in', recover: '/recover' }, undefined);
});
