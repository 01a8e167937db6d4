// Torrents as a person brings them over: a file that is none, one that is too large, one that is, and a magnet link.
// node torrent.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { check, find, firstRun, photograph, run, settings, visit } from './visitor.mjs';

await run(async () => {
  const { page, home } = await visit(settings.agent);
  await firstRun(page, settings.agent);
  await page.goto(`${home}/get`);
  await page.locator('#target-account').waitFor();
  const give = (name, buffer) => page.locator('#torrent-file').setInputFiles({ name, mimeType: 'application/x-bittorrent', buffer });

  await give('broken.torrent', Buffer.from('d4:infod4:name'));
  await page.locator('.note.bad', { hasText: 'That is no torrent file that can be used' }).waitFor();
  await page.getByText('broken.torrent').waitFor();
  await check(page, 'torrent-broken');
  await photograph(page, 'torrent-broken');
  await page.getByRole('button', { name: 'Leave the file out' }).click();
  await page.getByText('broken.torrent').waitFor({ state: 'detached' });
  if (await page.locator('.note.bad').count() > 0) find('torrent', 'the fault of a file that was left out is still shown');

  await give('large.torrent', Buffer.alloc(17 << 20));
  await page.getByText('too large for a torrent').waitFor();

  await give('many.torrent', Buffer.from(settings.torrent, 'base64'));
  await page.locator('.tree-sum', { hasText: '3 of 3 files' }).waitFor();
  await page.locator('#content-filter').fill('*.flac');
  await page.getByRole('button', { name: 'None', exact: true }).click();
  await page.locator('#content-filter').fill('');
  await check(page, 'torrent-choose');
  await photograph(page, 'torrent-choose');
  await page.getByRole('button', { name: 'Leave the file out' }).click();

  // The same by a magnet link that names somebody who has it.
  await page.locator('#link').fill(settings.magnet);
  await page.getByRole('button', { name: 'See what is in it' }).click();
  await page.locator('.tree-sum', { hasText: '3 of 3 files' }).waitFor();
  await page.locator('#content-filter').fill('*.txt');
  await page.getByRole('button', { name: 'None', exact: true }).click();
  await page.locator('.tree-sum', { hasText: '1 of 3 files' }).waitFor();
  await page.locator('#target-account').selectOption(settings.account);
  await page.getByRole('button', { name: 'Get it' }).click();
  await page.waitForURL(`${home}/transfers`);
  await page.getByRole('article', { name: `many → ${settings.account}` }).locator('.chip.good', { hasText: 'done' }).waitFor();
  await check(page, 'torrent-done');
  await photograph(page, 'torrent-done');
});
