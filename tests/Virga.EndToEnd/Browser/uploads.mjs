// Uploads as a person has them: dropped, cut in the middle, gone on with after the page was closed, given up.
import { check, find, photograph, run, settings, visit } from './visitor.mjs';

await run(async () => {
  const agent = settings.agent;
  const one = await visit({ ...agent, isCut: true });
  const { page, context } = one;
  await page.goto(agent.link);
  await page.fill('#password', settings.password);
  await page.fill('#again', settings.password);
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByRole('link', { name: 'I have kept it' }).click();
  await page.goto(`${one.home}/files/nas`);
  await page.getByRole('button', { name: 'Upload' }).waitFor();

  // Dropped, with a folder's worth of names; it is there, and the list goes away by itself.
  const drop = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['dropped'], 'dropped.txt', { type: 'text/plain' }));
    return transfer;
  });
  await page.dispatchEvent('.page', 'dragover', { dataTransfer: drop });
  await page.locator('.page.dropping').waitFor();
  await page.dispatchEvent('.page', 'drop', { dataTransfer: drop });
  await page.getByRole('button', { name: 'dropped.txt', exact: true }).waitFor();

  // The first piece gets through, then the line is cut: that is shown, and it goes on by itself when the line is back.
  const pieces = [];
  const cut = async route => {
    if (route.request().method() !== 'PATCH') return route.continue();
    pieces.push(Number(new URL(route.request().url()).searchParams.get('offset')));
    return pieces.at(-1) === 0 ? route.continue() : route.abort();
  };
  await page.route('**/uploads/*', cut);
  await page.locator('input[type=file][multiple]').setInputFiles(settings.big);
  await page.getByText('the line is cut').waitFor();
  await check(page, 'uploads-cut');
  await photograph(page, 'uploads-cut');
  // The page's own connection goes, too, and heals; one walks on meanwhile.
  await context.setOffline(true);
  await page.locator('#lost').waitFor();
  await page.unroute('**/uploads/*');
  await context.setOffline(false);
  await page.locator('#lost').waitFor({ state: 'hidden' });
  await page.getByRole('link', { name: 'Transfers' }).first().click();
  await page.getByRole('heading', { name: 'Transfers' }).waitFor();
  await page.getByRole('link', { name: 'Files', exact: true }).first().click();
  await page.getByRole('link', { name: 'nas' }).click();
  await page.getByRole('button', { name: 'big.bin', exact: true }).waitFor();

  // Cut for good, and the page loaded anew: what is here is shown, and the same file chosen again goes on from there.
  await page.route('**/uploads/*', cut);
  await page.locator('input[type=file][multiple]').setInputFiles(settings.other);
  await page.getByText('the line is cut').waitFor();
  const closed = await context.newPage();
  await page.close({ runBeforeUnload: false });
  await closed.goto(`${one.home}/files/nas`);
  await closed.getByText('Choose the same file again').waitFor();
  await check(closed, 'uploads-left');
  await photograph(closed, 'uploads-left');
  const from = closed.waitForRequest(r => r.method() === 'PATCH');
  await closed.locator('.upload-list input[type=file]').setInputFiles(settings.other);
  const offset = Number(new URL((await from).url()).searchParams.get('offset'));
  if (offset === 0) find('uploads', 'it began at 0 again');
  await closed.getByRole('button', { name: 'other.bin', exact: true }).waitFor();

  // What stands there is not replaced, and that is said.
  await closed.locator('input[type=file][multiple]').setInputFiles(settings.other);
  await closed.getByText('already').waitFor();
  await photograph(closed, 'uploads-refused');
  await closed.getByRole('button', { name: 'Give other.bin up' }).click();
  await closed.locator('.upload-list').waitFor({ state: 'detached' });
});
