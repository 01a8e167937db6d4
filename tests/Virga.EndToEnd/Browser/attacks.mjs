// What others try by names, by files and from other sites, against somebody who is signed in.
// node attacks.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { find, firstRun, run, settled, settings, visit } from './visitor.mjs';

// Nothing of what is shown turns text around or hides in it, and no name has become a part of the page.
async function harmless(page, name) {
  const found = await page.evaluate(() => {
    const hidden = /[\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff]/;
    const told = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (hidden.test(walker.currentNode.data)) told.push(walker.currentNode.data);
    for (const element of document.querySelectorAll('*')) {
      for (const { name, value } of element.attributes) {
        if (['title', 'alt', 'aria-label', 'placeholder'].includes(name) && hidden.test(value))
          told.push(`${name}=${value}`);
        if (name.startsWith('on') || (['href', 'src'].includes(name) && /^\s*javascript:/i.test(value)))
          told.push(`${name}=${value}`);
      }
    }
    if (document.querySelector('img[src="x"], main script, main iframe:not(.preview > iframe), main b'))
      told.push('a name is markup');
    if (window.hacked) told.push('a script ran');
    return { told, text: document.body.innerText };
  });
  for (const what of found.told) find('name', `${name}: ${what}`);
  return found.text;
}

await run(async () => {
  const one = await visit(settings.agent);
  const { page, home } = one;
  await firstRun(page, settings.agent);
  const state = await one.context.storageState();
  const folder = encodeURIComponent(settings.folder);
  const places = {
    files: '/files', account: '/files/nas', folder: `/files/nas/${folder}`, share: '/share',
    'share-this': `/share?account=nas&path=${folder}`, get: `/get?link=${encodeURIComponent(settings.link)}`,
    transfers: '/transfers', people: '/people', network: '/network', settings: '/settings',
  };
  for (const [name, path] of Object.entries(places)) {
    await page.goto(home + path);
    await settled(page);
    // Each place shows what it is to show, so that what follows is about something.
    if (settings.shown[name]) await page.getByText(settings.shown[name]).first().waitFor();
    await harmless(page, name);
  }

  // What opens on a page: a folder's pictures, a search, what one does with an entry, a plan, a transfer's details.
  await page.goto(`${home}/files/nas/${folder}`);
  await page.getByRole('button', { name: 'Show as pictures' }).click();
  await page.locator('.grid .tile').first().waitFor();
  await harmless(page, 'pictures');
  await page.getByRole('button', { name: 'Show as pictures' }).click();
  const names = await page.locator('.entries .open').count();
  for (let i = 0; i < names; i++) {
    const more = page.locator('.entries .does button').nth(i);
    await more.click();
    await harmless(page, 'entry');
    await page.locator('dialog').getByRole('button', { name: 'Delete' }).click();
    await harmless(page, 'delete');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.locator('.entries .open').nth(i).click();
    await page.locator('dialog .facts').waitFor();
    await harmless(page, 'preview');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
  }
  await page.getByRole('searchbox', { name: 'Search in this folder' }).fill('e');
  await page.getByRole('button', { name: 'Search below, too' }).click();
  await page.locator('.found li').first().waitFor();
  await harmless(page, 'search');
  await page.goto(`${home}/transfers`);
  await page.locator('article.transfer summary').first().click();
  await page.getByRole('link', { name: 'Open the folder' }).first().waitFor();
  await harmless(page, 'transfer');
  await page.goto(`${home}/get`);
  await page.locator('#link').fill(settings.link);
  await page.locator('#target-account').selectOption('nas');
  await page.getByRole('button', { name: 'See what is in it' }).click();
  await page.getByRole('heading', { name: 'The plan' }).waitFor();
  await harmless(page, 'plan');

  // What the browser keeps holds no secret, and scripts see no cookie.
  const session = (await one.context.cookies()).find(cookie => cookie.name.startsWith('virga-') && cookie.httpOnly);
  const kept = await page.evaluate(async () => JSON.stringify([
    { ...localStorage }, { ...sessionStorage }, await caches.keys(), await indexedDB.databases(), document.cookie,
    document.documentElement.outerHTML,
  ]));
  for (const secret of [settings.agent.password, session.value])
    if (kept.includes(secret)) find('storage', 'a secret stands in the page or in what the browser keeps of it');
  if (await page.evaluate(() => document.cookie) !== '') find('storage', 'scripts see a cookie');

  // From here on the browser itself says what it refuses.
  const two = await visit({ ...settings.agent, isAttacked: true }, { storageState: state });
  await two.page.goto(`${home}/people`);
  await settled(two.page);
  // What is put into the page all the same is not run.
  const isRun = await two.page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'window.injected = 1';
    document.body.append(script);
    const picture = new Image();
    picture.setAttribute('onerror', 'window.injected = 1');
    const failed = new Promise(done => picture.addEventListener('error', done));
    document.body.append(picture);
    picture.src = '/a/none.png';
    await failed;
    return Boolean(window.injected);
  });
  if (isRun) find('policy', 'an inline script was run');

  // Files that are opened by their own address: downloaded, or shown without any of their scripts.
  // What the browser refuses to ask for is named, too, but never answered.
  two.context.on('response', response => {
    if (response.url().includes('stolen')) find('preview', `a file was answered ${response.url()}`);
  });
  for (const file of settings.files) {
    const open = await two.context.newPage();
    const download = open.waitForEvent('download').catch(() => null);
    const shown = await open.goto(`${home}/raw/nas?path=${encodeURIComponent(file)}`).catch(() => null);
    if (shown) {
      const isOurs = await open.evaluate(() => {
        try {
          return document.documentElement.hasAttribute('data-run') || Boolean(localStorage);
        } catch {
          return false;
        }
      });
      // A PDF is the viewer's own page around it.
      if (isOurs && !file.endsWith('.pdf')) find('preview', `${file} is run, or in the page's own origin`);
      await open.close();
    } else {
      await open.close();
      if (!await download) find('preview', `${file} is neither shown nor downloaded`);
    }
  }

  // Another site sends forms, and puts the page into a frame: nothing comes of it.
  await two.context.route('http://evil.example/**', route => route.fulfill({
    contentType: 'text/html',
    body: `<iframe id="in" src="${home}/settings"></iframe>
      <form id="out" method="post" action="${home}/sign-out"></form><form id="look" method="post" action="${home}/look">
      <input name="language" value="nl"><input name="to" value="//evil.example/"></form>`,
  }));
  for (const form of ['out', 'look']) {
    await two.page.goto('http://evil.example/');
    const answer = two.page.waitForResponse(r => r.request().method() === 'POST');
    const left = two.page.waitForURL(url => url.origin === home);
    await two.page.evaluate(id => document.getElementById(id).submit(), form);
    if ((await answer).status() !== 403) find('csrf', `${form}: ${(await answer).status()}`);
    await left;
  }
  await two.page.goto('http://evil.example/');
  const frame = await (await two.page.waitForSelector('#in')).contentFrame();
  const framed = await frame.evaluate(() => document.body?.innerText ?? '').catch(() => '');
  if (/password|session/i.test(framed)) find('frame', 'the page is shown in a frame');
  await two.page.goto(`${home}/settings`);
  await two.page.getByRole('heading', { name: 'Settings', exact: true }).waitFor();
});
