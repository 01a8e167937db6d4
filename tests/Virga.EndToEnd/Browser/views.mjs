// Files as a person looks at them: as pictures, as a document, found below a folder, moved to another.
// node views.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { check, find, firstRun, gallery, photograph, run, settings, visit } from './visitor.mjs';

const picturesAreThere = page => page.waitForFunction(() =>
  [...document.querySelectorAll('.grid img')].filter(picture => picture.naturalWidth > 0).length === 3);

await run(async () => {
  const one = await visit(settings.agent);
  const { page } = one;
  await firstRun(page, settings.agent);

  // As pictures: small ones are loaded, others have their kind's sign, folders are walked into.
  await page.goto(`${one.home}/files/nas/trip`);
  await page.getByRole('button', { name: 'Show as pictures' }).click();
  await page.locator('.grid .tile').first().waitFor();
  await picturesAreThere(page);
  await check(page, 'pictures');
  await page.getByRole('button', { name: 'one.png', exact: true }).click();
  await page.waitForFunction(() => document.querySelector('dialog .preview img')?.naturalWidth > 0);
  await check(page, 'picture');
  await photograph(page, 'picture');
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'deep', exact: true }).click();
  await page.getByRole('link', { name: 'deeper', exact: true }).waitFor();
  await page.goBack();
  await gallery(settings.agent, { pictures: '/files/nas/trip' }, await one.context.storageState(), async open => {
    await open.getByRole('button', { name: 'Show as pictures' }).click();
    await picturesAreThere(open);
  });
  await page.getByRole('button', { name: 'Show as pictures' }).click();

  // A document, with its picture from beside it, and nothing of it run; then as it is written.
  await page.getByRole('button', { name: 'read me.md', exact: true }).click();
  await page.locator('.document h1', { hasText: 'A trip' }).waitFor();
  await page.waitForFunction(() => document.querySelector('.document img')?.naturalWidth > 0);
  if (await page.locator('.document script, .document iframe, .document [onerror]').count() > 0)
    find('markdown', 'markup of the file is in the page');
  await check(page, 'markdown');
  await photograph(page, 'markdown');
  await page.getByRole('button', { name: 'As it is written' }).click();
  await page.locator('dialog pre', { hasText: '<script>' }).waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });

  // Found far below, and opened from there.
  await page.getByRole('searchbox', { name: 'Search in this folder' }).fill('needle');
  await page.getByText('What lies deeper can be searched').waitFor();
  await page.getByRole('button', { name: 'Search below, too' }).click();
  await page.getByText('2 found').waitFor();
  await page.locator('.found').getByText('cod[U+202E]needle.txt').waitFor();
  await check(page, 'search');
  await photograph(page, 'search');
  await page.locator('.found').getByRole('button', { name: 'needle.txt', exact: true }).click();
  await page.getByText('found in the hay').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await page.getByRole('searchbox', { name: 'Search in this folder' }).fill('');

  // Moved two folders down; where something of that name is already, it stays, and that is said.
  for (const [name, isRefused] of [['one.png', false], ['taken.txt', true]]) {
    await page.getByRole('button', { name: `More for ${name}` }).click();
    await page.getByRole('button', { name: 'Move', exact: true }).click();
    const dialog = page.locator('dialog');
    if (await dialog.getByRole('button', { name: 'Move it here' }).isEnabled()) find('move', 'to where it is');
    await dialog.getByRole('button', { name: 'deep', exact: true }).click();
    await dialog.getByRole('button', { name: 'deeper', exact: true }).click();
    await dialog.getByText('Into: trip/deep/deeper').waitFor();
    await check(page, 'move');
    await photograph(page, 'move');
    await dialog.getByRole('button', { name: 'Move it here' }).click();
    if (isRefused) {
      await dialog.getByRole('alert').getByText('already').waitFor();
      await check(page, 'move-refused');
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
      await page.getByRole('button', { name, exact: true }).waitFor();
    } else {
      await page.getByRole('button', { name, exact: true }).waitFor({ state: 'detached' });
    }
  }
  await page.goto(`${one.home}/files/nas/trip/deep/deeper`);
  await page.getByRole('button', { name: 'one.png', exact: true }).waitFor();
  if (await page.evaluate(() => window.hacked)) find('preview', 'a file was run as a script');
});
