// What the scripts that drive the page have in common: a real browser, what it must never do, and pictures.
// node SCRIPT.mjs SETTINGS.json; prints one line of JSON for each finding, and fails when there is any.
import { readFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const require = createRequire(join(settings.modules, 'node_modules/'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const findings = [];

export const find = (kind, what) => {
  findings.push(kind);
  console.log(JSON.stringify({ kind, what }));
};

mkdirSync(settings.shots, { recursive: true });
const browser = await chromium.launch({ executablePath: settings.chromium, args: ['--no-sandbox'] });

export async function visit(agent, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-GB', ...options });
  context.setDefaultTimeout(settings.limitMs);
  const home = new URL(agent.link).origin;
  context.on('request', request => {
    const url = new URL(request.url());
    if (url.protocol === 'data:' || url.protocol === 'blob:' || url.origin === home) return;
    // The share page of an agent leads to its other page.
    if (agent.isCut && url.origin === settings.agent?.link) return;
    if (!agent.isAttacked) find('other-host', request.url());
  });
  const page = await context.newPage();
  page.on('console', message => {
    // Whose connection is cut on purpose, the browser says so.
    if (agent.isCut || agent.isAttacked) return;
    // A machine that stood still for half a minute: the page heals.
    if (/Server timeout elapsed|Connection closed with an error/.test(message.text())) return;
    if (message.type() === 'error' || message.type() === 'warning') find('console', message.text());
  });
  page.on('pageerror', error => {
    if (!agent.isCut || !error.message.startsWith('Cannot send data')) find('page-error', error.message);
  });
  return { context, page, home };
}

// Through the one-time link to a page with a password.
export async function firstRun(page, agent) {
  await page.goto(agent.link);
  await page.fill('#password', agent.password);
  await page.fill('#again', agent.password);
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByRole('link', { name: 'I have kept it' }).click();
  await page.locator('main h1, main h2').first().waitFor();
}

export async function photograph(page, name) {
  await page.screenshot({ path: join(settings.shots, `${name}.png`) });
}

export async function check(page, name) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  for (const violation of result.violations)
    find('axe', `${name}: ${violation.id}: ${violation.help}: ${violation.nodes.map(n => n.html).slice(0, 3).join(' ')}`);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wider > 0) find('layout', `${name}: ${wider} pixels wider than the window`);
}

export async function settled(page) {
  await page.locator('h1').first().waitFor();
  await page.locator('.waiting').first().waitFor({ state: 'detached' });
}

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

// Light and dark, on a desktop and a phone: each page is looked at by axe-core and photographed.
export async function gallery(agent, pages, state, prepare = async () => {}) {
  for (const colorScheme of ['light', 'dark']) {
    for (const [device, options] of [['desktop', {}], ['phone', phone]]) {
      const open = await visit(agent, { ...options, colorScheme, storageState: state });
      for (const [name, path] of Object.entries(pages)) {
        await open.page.goto(open.home + path);
        await settled(open.page);
        await prepare(open.page, name);
        const place = `${name}-${device}-${colorScheme}`;
        await check(open.page, place);
        await open.page.screenshot({ path: join(settings.shots, `${place}.png`), fullPage: device === 'phone' });
      }
      await open.context.close();
    }
  }
}

// What goes wrong is a finding, with a picture of every page that is open then.
export async function run(script) {
  try {
    await script();
  } catch (error) {
    find('failed', error.stack);
    for (const context of browser.contexts())
      for (const page of context.pages()) await photograph(page, `failed-${findings.length}`);
  } finally {
    await browser.close();
  }
  process.exitCode = findings.length > 0 ? 1 : 0;
}
