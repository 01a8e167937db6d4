// A transfer on the way, as a person has it in hand: paused, put first, its limit taken off, gone on with, cancelled.
// node transfers.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { check, find, firstRun, gallery, photograph, run, settings, visit } from './visitor.mjs';

await run(async () => {
  const one = await visit(settings.agent);
  const { page } = one;
  await firstRun(page, settings.agent);
  await page.goto(`${one.home}/transfers`);
  const card = page.getByRole('article', { name: 'cloud:kept' });
  const other = page.getByRole('article', { name: 'cloud:dropped' });
  const state = (of, text) => of.locator('.chip', { hasText: text }).first();
  await state(card, 'running').waitFor();
  await page.waitForFunction(() => document.querySelector('progress')?.value > 0);
  await check(page, 'transfer-running');
  await photograph(page, 'transfer-running');

  await card.getByRole('button', { name: 'Pause' }).click();
  await state(card, 'paused').waitFor();
  await check(page, 'transfer-paused');
  await photograph(page, 'transfer-paused');

  await card.locator('summary').click();
  await card.getByLabel('Priority').selectOption('High');
  await card.locator('.chip', { hasText: 'high' }).waitFor();
  await check(page, 'transfer-first');
  await gallery(settings.agent, { 'transfer-open': '/transfers' }, await one.context.storageState(), async open => {
    await open.getByRole('article', { name: 'cloud:kept' }).locator('summary').click();
    await open.getByLabel('Priority').first().waitFor();
  });

  await card.getByRole('button', { name: 'Resume' }).click();
  await card.locator('.chip.now, .chip.good').first().waitFor();
  await other.getByRole('button', { name: 'Cancel it' }).click();
  await state(other, 'cancelled').waitFor();

  // With the limit taken off on the page, the rest comes at once.
  await page.goto(`${one.home}/settings`);
  const limits = page.getByRole('region', { name: 'Limits' });
  await limits.getByLabel('Receive at most').fill('');
  await limits.getByRole('button', { name: 'Save' }).click();
  await page.locator('.toast').waitFor();
  await page.goto(`${one.home}/transfers`);
  await card.locator('.chip.good', { hasText: 'done' }).waitFor();
  await check(page, 'transfer-done');
  if (await page.getByRole('button', { name: 'Pause' }).count() > 0) find('transfers', 'what is done can be paused');
});
