// A backup that a person downloads in the settings (step "download"), and makes an agent of in the first run of another
// one (step "restore"): what is wrong with it stands beside its field, and nothing that was chosen or typed is lost.
// node backup.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { check, find, firstRun, gallery, photograph, run, settings, visit } from './visitor.mjs';

async function download() {
  const one = await visit(settings.agent);
  const { page } = one;
  await firstRun(page, settings.agent);
  await page.goto(`${one.home}/settings`);
  const card = page.getByRole('region', { name: 'Backup' });
  const make = card.getByRole('button', { name: 'Download a backup' });
  await card.getByLabel('Passphrase').fill('short');
  await make.click();
  await card.getByText('That is too short').waitFor();
  await card.getByLabel('Passphrase').fill(settings.passphrase);
  await card.getByLabel('The same again').fill('something else');
  await make.click();
  await card.getByText('The two are not the same').waitFor();
  await check(page, 'backup');
  await card.scrollIntoViewIfNeeded();
  await photograph(page, 'backup');
  if (await card.getByLabel('Passphrase').inputValue() !== settings.passphrase) find('lost', 'the passphrase');
  await card.getByLabel('The same again').fill(settings.passphrase);
  const [file] = await Promise.all([page.waitForEvent('download'), make.click()]);
  if (!/^virga-\d{4}-\d\d-\d\d\.age$/.test(file.suggestedFilename())) find('name', file.suggestedFilename());
  await file.saveAs(settings.file);
}

const open = page => page.locator('#restore').evaluate(details => { details.open = true; });

async function restore() {
  // What is refused is told by a status, which the browser's console repeats.
  const one = await visit({ ...settings.agent, isCut: true });
  const { page } = one;
  await page.goto(settings.agent.link);
  await gallery(settings.agent, { 'welcome-restore': '/welcome' }, await one.context.storageState(), open);
  await page.getByText('Restore from a backup instead').click();
  const passphrase = page.locator('#restore-passphrase');
  const file = page.locator('#restore-file');
  const go = page.getByRole('button', { name: 'Restore it' });
  await go.click();
  await page.getByText('Choose the file of the backup.').waitFor();
  await page.getByText('Type the passphrase of the backup.').waitFor();
  await check(page, 'restore-empty');
  await file.setInputFiles({ name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('no backup at all') });
  await passphrase.fill(settings.passphrase);
  await go.click();
  await page.locator('#restore-file-more').getByText('That is no backup of an agent').waitFor();
  await file.setInputFiles(settings.cut);
  await go.click();
  await page.locator('#restore-file-more').getByText('The file is not whole').waitFor();
  if (await passphrase.inputValue() !== settings.passphrase) find('lost', 'the passphrase');
  await file.setInputFiles(settings.file);
  await passphrase.fill('five other words here');
  await go.click();
  await page.locator('#restore-passphrase-more').getByText('not the passphrase').waitFor();
  if (await file.evaluate(input => input.files.length) !== 1) find('lost', 'the file that was chosen');
  if (!await passphrase.evaluate(input => input === document.activeElement)) find('focus', 'not where it is wrong');
  await check(page, 'restore-wrong');
  await photograph(page, 'restore-wrong');
  await passphrase.fill(settings.passphrase);
  await go.click();
  // Signed in still, now on the page of the agent that the backup is of.
  await page.getByRole('heading', { name: 'Files' }).waitFor();
  await page.getByRole('link', { name: 'nas', exact: true }).waitFor();
  await check(page, 'restored');
  await page.goto(`${one.home}/welcome`);
  await page.getByRole('heading', { name: 'Files' }).waitFor();
  // Its password signs in.
  const other = await visit({ link: one.home, isCut: true });
  await other.page.goto(one.home);
  await other.page.fill('#password', settings.agent.password);
  await other.page.locator('main button[type=submit]').click();
  await other.page.getByRole('heading', { name: 'Files' }).waitFor();
}

await run(settings.step === 'download' ? download : restore);
