// Looks at the share page with axe-core, and photographs it: a private share with a text shown, a public one with its
// torrent, and what it says of a link that was cut short.
import { gallery, run, settings } from './visitor.mjs';

await run(async () => {
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
