// The graph of vouches as a person walks it: by mouse and keyboard, outwards, by name; who would fall; vouch, revoke.
// node people.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { check, find, firstRun, gallery, photograph, run, settings, visit } from './visitor.mjs';

const heading = page => page.locator('.graph-side h3');
const spot = (page, name) => page.locator(`.trust-graph [role=button][aria-label*="${name}"]`);

// Whoever is named stands in the middle, and is told beside the picture.
async function isInTheMiddle(page, name) {
  await heading(page).filter({ hasText: name }).waitFor();
  await page.locator(`.spot.ring-0[aria-label^="${name}"]`).waitFor();
}

async function answers(page, question, name) {
  const answer = await page.evaluate(question);
  if (!answer) find('people', name);
}

await run(async () => {
  const one = await visit(settings.agent);
  const { page } = one;
  await firstRun(page, settings.agent);
  await page.goto(`${one.home}/people`);
  await isInTheMiddle(page, 'you');
  // A name that is markup and turns text around is shown as what it is, in the picture and beside it.
  await page.getByRole('button', { name: '<b>dora</b>[U+202E]' }).first().waitFor();
  await check(page, 'people-me');

  // By mouse to a friend, with the chain; by keyboard on to a friend's friend, and back up.
  await spot(page, 'anna').locator('circle').click();
  await isInTheMiddle(page, 'anna');
  await page.locator('.graph-chain').getByRole('button', { name: 'you' }).waitFor();
  await page.locator('.line.chain').waitFor({ state: 'attached' });
  await answers(page, () => document.activeElement === document.querySelector('.spot.ring-0'), 'the focus is lost');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByText('You exchange with them. It holds until').waitFor();
  await page.locator('.graph-chain li').nth(2).waitFor();
  await check(page, 'people-far');
  await photograph(page, 'people-far');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await isInTheMiddle(page, 'anna');

  // Who would fall, in the picture and in words.
  await page.getByText('if you took your word back: 3 agents').click();
  await page.locator('.spot.falls').nth(1).waitFor();
  await page.locator('.graph-list .chip.bad').first().waitFor();
  await check(page, 'people-fall');
  await photograph(page, 'people-fall');

  // Outwards as far as it goes: more of them stand there, and the middle stays.
  const before = await page.locator('.spot').count();
  await page.getByRole('button', { name: 'Further out' }).click();
  await page.locator('.trust-graph.rings-2 circle.spot').first().waitFor();
  if (await page.locator('.spot').count() <= before) find('people', 'further out shows no more');
  await page.getByRole('button', { name: 'Further out' }).click();
  await page.locator('.trust-graph.rings-3').waitFor();
  if (await page.getByRole('button', { name: 'Further out' }).isEnabled()) find('people', 'there is no end outwards');
  await check(page, 'people-out');
  await photograph(page, 'people-out');
  await page.getByRole('button', { name: 'Closer' }).click();
  await page.locator('.trust-graph.rings-2').waitFor();
  await page.getByRole('button', { name: 'Closer' }).click();
  await page.locator('.trust-graph.rings-1').waitFor();

  // By a part of the name; nobody is called so; by a part of the id.
  const search = page.getByRole('searchbox', { name: 'Find somebody by name or id' });
  await search.fill('nobody at all');
  await page.getByText('Nobody whom you trust is called so.').waitFor();
  await search.fill('DOR');
  await page.locator('.graph-list').getByRole('button', { name: '<b>dora</b>' }).waitFor();
  await check(page, 'people-find');
  await photograph(page, 'people-find');
  await search.fill(settings.carl);
  await page.locator('.graph-list li').first().getByRole('button').click();
  await page.locator('.graph-id', { hasText: settings.carl }).waitFor();

  // Vouched for from here, with a name; then taken back, which says whom it is about.
  await page.locator('.graph-side').getByRole('button', { name: 'Vouch', exact: true }).click();
  const dialog = page.locator('dialog');
  await dialog.getByLabel('What you call them').fill('carl');
  await check(page, 'people-vouch');
  await dialog.getByRole('button', { name: 'Vouch', exact: true }).click();
  await isInTheMiddle(page, 'carl');
  await page.getByRole('button', { name: 'Back to me' }).click();
  await isInTheMiddle(page, 'you');
  await spot(page, 'carl').waitFor();
  await spot(page, 'anna').locator('circle').click();
  await isInTheMiddle(page, 'anna');
  await page.locator('.graph-side').getByRole('button', { name: 'Take it back' }).click();
  await dialog.getByText('anna, and all whom you know through them alone').waitFor();
  await dialog.getByRole('button', { name: 'Take it back' }).click();
  await page.getByText("You don't exchange with them").waitFor();
  await photograph(page, 'people-cut');
  await gallery(settings.agent, { 'people-graph': '/people' }, await one.context.storageState(), async open => {
    await spot(open, 'dora').locator('circle').click();
    await heading(open).filter({ hasText: 'dora' }).waitFor();
  });
  if (await page.evaluate(() => window.hacked)) find('people', 'a name was run as a script');
});
