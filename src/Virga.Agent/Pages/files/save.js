// Two ways for bytes out of the page: the service worker, through which the browser saves and plays, and a file that
// the person picked (File System Access), where the browser has that.

import { typeOf } from './types.js';

const pageId = Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(36)).join('').slice(0, 20);
const stayMs = 10_000;

export class Outlet {
  /** @param open (file, offset, length, signal) => parts in order; @param files what addresses name, by key. */
  constructor(hash, open) {
    this.base = `/s/${hash}/file/${pageId}/`;
    this.open = open;
    this.files = new Map();
    this.streams = 0;
    /** Told of the end of each stream of a key: null when it went well. */
    this.onend = () => {};
    /** Told of each buffer that came with a part and is done with. */
    this.onspare = () => {};
    this.onpart = () => {};
  }

  async start() {
    const workers = navigator.serviceWorker;
    if (!workers) throw new Error('no service worker');
    workers.addEventListener('message', event => this.asked(event));
    workers.startMessages();
    await workers.register('/s/page/service.js', { scope: '/s/' });
    const ready = await workers.ready;
    setInterval(() => {
      if (this.streams > 0) ready.active?.postMessage('stay');
    }, stayMs);
  }

  /** An address in this page that gives the file; { name, size, source? } by key. */
  address(key, file, isSave) {
    this.files.set(String(key), file);
    return `${this.base}${key}/${encodeURIComponent(file.name)}${isSave ? '?save' : ''}`;
  }

  /** The browser's own saving: in a frame that shows nothing. */
  save(key, file) {
    const frame = document.createElement('iframe');
    frame.hidden = true;
    frame.src = this.address(key, file, true);
    document.body.append(frame);
  }

  asked({ data, ports: [port] }) {
    if (!port || data.page === undefined) return;
    const file = data.page === pageId ? this.files.get(data.file) : undefined;
    if (!file) {
      port.postMessage({ taken: null });
      return;
    }
    const range = file.size === null ? null : rangeOf(data.range, file.size);
    const { offset, length } = range ?? { offset: 0, length: file.size };
    const { type, isShown } = typeOf(file.name);
    const headers = {
      'Content-Type': isShown ? type : 'application/octet-stream',
      'X-Content-Type-Options': 'nosniff',
      // Whatever a file holds, it runs nothing here.
      'Content-Security-Policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
        + "media-src 'self'",
      'Content-Disposition': `${data.isSave || !isShown ? 'attachment' : 'inline'}; filename*=UTF-8''${
        encodeURIComponent(file.name).replace(/['()*]/g, c => '%' + c.charCodeAt(0).toString(16))}`,
      'Cache-Control': 'no-store',
    };
    if (file.size !== null) headers['Content-Length'] = String(length);
    if (file.size !== null && !file.source) headers['Accept-Ranges'] = 'bytes';
    if (range) headers['Content-Range'] = `bytes ${offset}-${offset + length - 1}/${file.size}`;
    port.postMessage({ taken: { status: range ? 206 : 200, headers } });
    this.feed(port, data, file, offset, length);
  }

  feed(port, { file: key, isSave }, file, offset, length) {
    const abort = new AbortController();
    const parts = (file.source ?? this.open)(file, offset, length, abort.signal)[Symbol.asyncIterator]();
    this.streams++;
    let hasEnded = false;
    const end = error => {
      if (hasEnded) return;
      hasEnded = true;
      this.streams--;
      port.onmessage = null;
      if (isSave) this.onend(key, error);
    };
    port.onmessage = async ({ data }) => {
      if (data.spare) this.onspare(data.spare);
      if (data.cancel) {
        abort.abort();
        end({ kind: 'cancelled', message: 'cancelled' });
        return;
      }
      try {
        const { done, value } = await parts.next();
        if (done) {
          port.postMessage({ done: true });
          end(null);
          return;
        }
        if (isSave) this.onpart(key, value.length);
        // Its buffer is its own, and goes over without a copy.
        port.postMessage({ part: value }, [value.buffer]);
      } catch (e) {
        port.postMessage({ error: String(e.message) });
        end(e);
      }
    };
  }
}

/** A file that the person picks; written as it comes, and nothing is left of it where that fails. */
export async function saveToPicked(name, parts) {
  const handle = await window.showSaveFilePicker({ suggestedName: name });
  await writeTo(handle, parts);
}

export async function writeTo(handle, parts) {
  const file = await handle.createWritable();
  try {
    for await (const part of parts) await file.write(part);
    await file.close();
  } catch (e) {
    await file.abort().catch(() => {});
    throw e;
  }
}

function rangeOf(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '') || size === 0) return null;
  if (match[1] === '') {
    const length = Math.min(size, Number(match[2]));
    return { offset: size - length, length };
  }
  const offset = Number(match[1]);
  const end = match[2] === '' ? size : Math.min(size, Number(match[2]) + 1);
  return offset < end ? { offset, length: end - offset } : null;
}
