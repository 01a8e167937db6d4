// The page on which people without Virga open a share.

import { decode } from './bencode.js';
import { toHex, toText } from './bytes.js';
import { openFile } from './age.js';
import { agentOrigin, bringAddress, remember, remembered } from './bring.js';
import { AddressError, identityOf, passMaker, readAddress, virgaLink } from './link.js';
import { bytesText, saved, shown } from './names.js';
import { ReadError, ShareReader } from './reader.js';
import { Outlet } from './save.js';
import { language, text } from './texts.js';
import { blobOf, publicFiles, readInfo, readLayers, readManifest, requireReadable } from './torrent.js';
import { typeOf } from './types.js';
import { zip, zipLength } from './zip.js';

const main = document.getElementById('main');
const state = document.getElementById('state');
const filesAtOnce = 200;
const previewBytes = 64 << 10;

class Problem extends Error {
  constructor(message, advice) {
    super(message);
    this.advice = advice;
  }
}

const size = bytes => bytesText(bytes, language);

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'class') made.className = value;
    else if (name.startsWith('aria-')) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** A name from others: its own direction, nothing hidden. */
const nameElement = name => element('bdi', {}, shown(name));

async function get(path, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, { headers, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  } catch {
    throw new Problem(text('unreachable'), text('unreachableAdvice'));
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (answer.ok) return bytes;
  if (answer.status === 404) return null;
  let message = `status ${answer.status}`;
  try {
    message = shown(toText(decode(bytes).get('message')));
  } catch {
    // A proxy's own words.
  }
  throw new Problem(text('failed', message));
}

async function open() {
  if (!window.isSecureContext) throw new Problem(text('insecure'));
  let address;
  try {
    address = await readAddress(window.location);
  } catch (e) {
    if (!(e instanceof AddressError)) throw e;
    throw new Problem(text(e.fault), text(`${e.fault}Advice`));
  }
  const about = await get('/v1/guest');
  if (!about) throw new Problem(text('unreachable'), text('unreachableAdvice'));
  const agent = decode(about);
  const link = await virgaLink(address.hash, toText(agent.get('link')), address.secret);
  let pass = null;
  if (address.secret) {
    try {
      pass = await passMaker(address.secret, address.hash, agent.get('agent'), agent.get('now'));
    } catch {
      throw new Problem(text('old'));
    }
  }
  const base = `/v1/guest/${address.hash}`;
  const fetched = async path => get(base + path, pass ? { Authorization: await pass() } : {});
  const described = await fetched('');
  if (!described) {
    if (address.hasFragment && !address.secret) {
      showBring(showProblem(new Problem(text('forNamed'), text('forNamedAdvice'))), link);
      return;
    }
    throw new Problem(text('nothing'), text(address.secret ? 'nothingKey' : 'nothingNoKey'));
  }
  const share = await read(address, base, fetched, pass);
  const magnet = decode(described).get('magnet');
  const outlet = new Outlet(address.hash, (file, offset, length, signal) =>
    share.reader.read(file, offset, length, signal));
  try {
    await outlet.start();
  } catch {
    throw new Problem(text('old'));
  }
  const agentId = /[?&]a=(virga1[a-z0-9]+)/.exec(link)?.[1] ?? '';
  show({ ...share, link, base, agentId, magnet: magnet && toText(magnet), isPrivate: !!address.secret }, outlet);
}

/** What the share is: every part of it checked against its name. */
async function read(address, base, fetched, pass) {
  const infoBytes = await fetched('/info');
  const layerBytes = await fetched('/layers');
  if (!infoBytes || !layerBytes) throw new Problem(text('nothing'), text('nothingKey'));
  const hash = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', infoBytes)));
  if (hash !== address.hash) throw new Problem(text('wrongShare'), text('wrongShareAdvice'));
  const info = readInfo(infoBytes);
  const layers = readLayers(layerBytes);
  const reader = new ShareReader(base, info.pieceBytes, pass);
  if (!info.isPrivate) return { reader, name: info.name, files: publicFiles(info, layers) };
  if (!address.secret) throw new Problem(text('forNamed'), text('forNamedAdvice'));
  const blob = blobOf(info.files[0], layers);
  requireReadable(blob);
  const parts = [];
  for await (const part of reader.readPlain(blob, 0, blob.length)) parts.push(part);
  const sealed = new Uint8Array(await new Blob(parts).arrayBuffer());
  const manifest = await openFile(sealed, await identityOf(address.secret));
  if (!manifest) throw new Problem(text('mistyped'), text('mistypedAdvice'));
  const files = await readManifest(manifest, info, layers);
  return { reader, name: files.length === 1 ? files[0].path.at(-1) : null, files };
}

function show(share, outlet) {
  const { files } = share;
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const title = share.name === null ? text('title', files.length) : shown(share.name);
  document.title = `${title} · Virga`;
  main.replaceChildren(
    element('h1', {}, element('bdi', {}, title)),
    element('p', {}, text('total', text('title', files.length), size(total))),
    element('p', { class: 'soft' }, text('offered', window.location.host), element('br'),
      element('span', { class: 'small' }, `${text('agent')} `, element('code', {}, share.agentId))),
    element('p', { class: 'soft small' }, text(share.isPrivate ? 'isPrivate' : 'isPublic'), ' ', text('verified')));
  const rows = new Map();
  outlet.onpart = (key, bytes) => rows.get(key)?.advance(bytes);
  outlet.onend = (key, error) => rows.get(key)?.end(error);
  outlet.onspare = buffer => share.reader.giveBack(buffer);
  share.reader.onwaiting = ms => rows.forEach(row => row.wait(ms));
  if (files.length > 1) showAll(share, outlet, rows, total);
  const list = element('ul', { id: 'files' });
  main.append(list);
  showFiles(list, 0);
  if (share.magnet) showTorrents(share);
  showBring(main, share.link);
  main.setAttribute('aria-busy', 'false');

  function showFiles(target, from) {
    const past = Math.min(files.length, from + filesAtOnce);
    for (let i = from; i < past; i++) target.append(fileElement(files[i], i, outlet, rows));
    if (past === files.length) return;
    const more = element('button', { type: 'button' }, text('more', files.length - past));
    const row = element('li', {}, more);
    more.onclick = () => {
      row.remove();
      showFiles(target, past);
    };
    target.append(row);
  }
}

function showAll(share, outlet, rows, total) {
  const entries = share.files.map(file => ({
    name: unique(file), size: file.size,
    parts: () => share.reader.read(file, 0, file.size),
  }));
  const name = `${share.name === null ? 'share' : saved(share.name)}.zip`;
  const all = { name, size: zipLength(entries), source: () => zip(entries) };
  const progress = new Progress(total);
  const button = element('button', { type: 'button', class: 'first', id: 'save-all' }, text('saveAll'));
  button.onclick = () => {
    rows.set('all', progress);
    progress.begin(all.size, button);
    outlet.save('all', all);
  };
  main.append(element('div', { class: 'actions' }, button), progress.element);
}

/** Names on a disk: no two files of a zip at one path. */
const taken = new Set();
function unique(file) {
  const path = file.path.map(saved);
  let name = path.join('/');
  for (let i = 2; taken.has(name.toLowerCase()); i++) {
    const [, stem, ending] = /^(.*?)(\.[^.]*)?$/s.exec(path.at(-1));
    name = [...path.slice(0, -1), `${stem} (${i})${ending ?? ''}`].join('/');
  }
  taken.add(name.toLowerCase());
  return name;
}

function fileElement(file, index, outlet, rows) {
  const label = file.path.join('/');
  const key = String(index);
  const named = Object.assign(file, { name: saved(file.path.at(-1)) });
  const progress = new Progress(file.size);
  const save = element('button', {
    type: 'button', class: 'first', 'aria-label': text('saveNamed', shown(label)),
  }, text('save'));
  save.onclick = () => {
    rows.set(key, progress);
    progress.begin(file.size, save);
    outlet.save(key, named);
  };
  const row = element('li', {}, element('span', { class: 'name' }, nameElement(label)),
    element('span', { class: 'size' }, size(file.size)));
  const { kind } = typeOf(file.path.at(-1));
  if (kind && file.size > 0) row.append(previewButton(kind, label, () => preview(kind, key, named, outlet), row));
  row.append(save, progress.element);
  return row;
}

function previewButton(kind, label, make, row) {
  const word = text(kind === 'audio' || kind === 'video' ? 'play' : 'show');
  const button = element('button', { type: 'button' });
  const say = (does, isExpanded) => {
    button.textContent = does;
    button.setAttribute('aria-label', text('named', does, shown(label)));
    button.setAttribute('aria-expanded', String(isExpanded));
  };
  say(word, false);
  let shownNow = null;
  button.onclick = async () => {
    if (shownNow) {
      shownNow.remove();
      shownNow = null;
    } else {
      shownNow = element('div', { class: 'more' });
      row.append(shownNow);
      shownNow.append(await make());
    }
    say(shownNow ? text('hide') : word, !!shownNow);
  };
  return button;
}

async function preview(kind, key, file, outlet) {
  if (kind === 'text') {
    const parts = [];
    try {
      for await (const part of outlet.open(file, 0, Math.min(file.size, previewBytes))) parts.push(part);
    } catch (e) {
      return element('p', { class: 'problem' }, wordsOf(e).join(' '));
    }
    const written = new TextDecoder().decode(await new Blob(parts).arrayBuffer());
    const box = element('pre', { tabIndex: 0 }, shown(written.replaceAll('\r\n', '\n')).replaceAll('\\u{A}', '\n')
      .replaceAll('\\u{9}', '\t'));
    return file.size > previewBytes ? element('div', {}, box, element('p', { class: 'small' }, text('tooLong'))) : box;
  }
  const source = outlet.address(key, file, false);
  if (kind === 'image') return element('img', { class: 'picture', src: source, alt: shown(file.path.at(-1)) });
  return element(kind, { controls: true, src: source, preload: 'metadata' });
}

/** How far a download is, told as text, too. */
class Progress {
  constructor(total) {
    this.bar = element('progress', { max: Math.max(1, total), value: 0, hidden: true });
    this.words = element('p', { class: 'small' });
    this.words.setAttribute('role', 'status');
    this.element = element('div', { class: 'more' }, this.bar, this.words);
  }

  begin(total, button) {
    Object.assign(this, { total, done: 0, begun: performance.now(), said: 0, button, isRunning: true });
    button.disabled = true;
    this.bar.max = Math.max(1, total);
    this.bar.value = 0;
    this.bar.hidden = false;
    this.bar.setAttribute('aria-label', button.getAttribute('aria-label') ?? button.textContent);
    this.say('');
  }

  say(words, kind = '') {
    this.words.className = `small ${kind}`;
    this.words.textContent = words;
  }

  advance(bytes) {
    this.done += bytes;
    const now = performance.now();
    if (now - this.said < 250) return;
    this.said = now;
    this.bar.value = this.done;
    const rate = this.done / Math.max(0.001, (now - this.begun) / 1000);
    this.say(text('saving', size(this.done), size(this.total), size(rate)));
  }

  wait(ms) {
    if (this.isRunning) this.say(text('waiting', Math.max(1, Math.round(ms / 1000))));
  }

  end(error) {
    this.isRunning = false;
    this.button.disabled = false;
    if (!error) {
      this.bar.value = this.total;
      this.say(text('saved'), 'good');
      return;
    }
    this.bar.hidden = true;
    this.say('');
    this.words.className = 'problem';
    this.words.append(...wordsOf(error).map(line => element('p', {}, line)));
  }
}

function wordsOf(error) {
  if (!(error instanceof ReadError) && !error.kind) return [text('failed', shown(String(error.message)))];
  switch (error.kind) {
    case 'wrong': return [text('wrong'), text('wrongAdvice')];
    case 'cancelled': return [text('cancelled')];
    default: return [text('failed', shown(error.message)), ...(error.advice ? [shown(error.advice)] : [])];
  }
}

function showTorrents({ magnet, base }) {
  const actions = element('div', { class: 'actions' },
    element('a', { class: 'button', href: `${base}/torrent`, id: 'torrent' }, text('torrent')));
  if (magnet.startsWith('magnet:?'))
    actions.prepend(element('a', { class: 'button', href: magnet, id: 'magnet' }, text('magnet')));
  main.append(element('h2', {}, text('torrents')), actions);
}

function showBring(target, link) {
  const field = element('input', { readOnly: true, value: link, id: 'link', 'aria-label': text('link') });
  const copy = element('button', { type: 'button' }, text('copy'));
  copy.onclick = async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(link);
      copy.textContent = text('copied');
    } catch {
      // It stands there, selected.
    }
  };
  target.append(element('details', { id: 'bring' }, element('summary', {}, text('bring')),
    element('p', {}, text('bringHow')), bringForm(link),
    element('h2', {}, text('bringElse')), element('p', {}, text('bringCopy')),
    element('div', { class: 'copy' }, field, copy),
    element('div', { class: 'actions' }, element('a', { class: 'button', href: link, id: 'open-link' }, text('openLink'))),
    element('pre', {}, `virga get '${link}' ACCOUNT:FOLDER`)));
}

/** Asks for the address of the visitor's own agent, and goes there with the link. */
function bringForm(link) {
  const known = remembered();
  const address = element('input', {
    id: 'agent', value: known, placeholder: 'http://127.0.0.1:8480', autocomplete: 'url', spellcheck: false,
    inputMode: 'url', 'aria-describedby': 'agent-problem',
  });
  const keep = element('input', { type: 'checkbox', id: 'keep', checked: known !== '' });
  const problem = element('p', { id: 'agent-problem', class: 'wrong' });
  problem.setAttribute('role', 'alert');
  const form = element('form', { noValidate: true },
    element('label', { htmlFor: 'agent' }, text('agentAddress')),
    element('div', { class: 'copy' }, address, element('button', { class: 'first' }, text('bringGo'))), problem,
    element('label', { class: 'keep' }, keep, text('keep')));
  form.onsubmit = event => {
    event.preventDefault();
    const origin = agentOrigin(address.value);
    problem.textContent = origin === null ? text('agentBad') : '';
    address.setAttribute('aria-invalid', String(origin === null));
    if (origin === null) return;
    remember(keep.checked ? origin : null);
    window.location.assign(bringAddress(origin, link));
  };
  return form;
}

function showProblem(problem) {
  const box = element('div', { class: 'problem', id: 'problem' }, problem.message);
  box.setAttribute('role', 'alert');
  if (problem.advice) box.append(element('p', {}, problem.advice));
  main.replaceChildren(element('h1', {}, 'Virga'), box);
  main.setAttribute('aria-busy', 'false');
  return main;
}

document.documentElement.lang = language;
state.textContent = text('opening');
document.getElementById('footer').textContent = text('footer');
window.addEventListener('hashchange', () => window.location.reload());
try {
  await open();
} catch (e) {
  const words = e instanceof Problem ? [e.message, e.advice] : wordsOf(e);
  showProblem(new Problem(...words));
}
