// A .torrent file that a person gives on Get: what is in it, some of it ticked, and brought into an account.
// node torrent.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { check, find, firstRun, gallery, photograph, run, settings, visit } from './visitor.mjs';

await run(async () => {
  const one = await visit(settings.agent);
  const { page } = one;
  await firstRun(page, settings.agent);
  await page.goto(`${one.home}/get`);
  const give = page.locator('#torrent-file');
  await give.setInputFiles({ name: 'note.torrent', mimeType: 'text/plain', buffer: Buffer.from('no torrent') });
  await page.locator('.note.bad').waitFor();
  await check(page, 'torrent-bad');
  await photograph(page, 'torrent-bad');
  await page.getByRole('button', { name: 'Leave the file out' }).click();
  await page.locator('.note.bad').waitFor({ state: 'detached' });

  await give.setInputFiles(settings.torrent);
  await page.getByRole('heading', { name: 'album' }).waitFor();
  await page.getByText('album.torrent').waitFor();
  await page.locator('.tree-sum', { hasText: '3 of 3 files' }).waitFor();
  await page.getByRole('checkbox', { name: /^cover\.jpg/ }).click();
  await page.locator('.tree-sum', { hasText: '2 of 3 files' }).waitFor();
  await page.getByRole('button', { name: 'music', exact: true }).click();
  await page.getByText('Folder: music').waitFor();
  await check(page, 'torrent');
  await photograph(page, 'torrent');
  await gallery(settings.agent, { 'get-torrent': '/get' }, await one.context.storageState(), async open => {
    await open.locator('#torrent-file').setInputFiles(settings.torrent);
    await open.locator('.tree-sum').waitFor();
  });
  await page.getByRole('button', { name: 'Get it' }).click();
  await page.waitForURL(/\/transfers$/);
  await page.locator('.chip.good', { hasText: 'done' }).waitFor();
  await check(page, 'torrent-done');
  if (await page.locator('article.transfer').count() !== 1) find('torrent', 'not one transfer');
});
