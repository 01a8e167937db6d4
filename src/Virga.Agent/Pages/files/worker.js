// Fetches stretches of a blob, verifies them against the tree and opens them. A stretch is answered only once all of
// it is verified.

import * as age from './age.js';
import { opener } from './chacha.js';
import { decode } from './bencode.js';
import { toText } from './bytes.js';
import { pieceFits } from './tree.js';

const running = new Map();
const stallMs = 30_000;
const waitMsMax = 15_000;
// Buffers that are done with: those that are thrown away stay until the browser gets round to it.
const spare = [];
const spareMax = 4;

class Refusal extends Error {
  constructor(kind, message, advice) {
    super(message);
    this.kind = kind;
    this.advice = advice;
  }
}

self.onmessage = async ({ data }) => {
  if (data.cancel !== undefined) {
    running.get(data.cancel)?.abort();
    return;
  }
  const abort = new AbortController();
  running.set(data.id, abort);
  try {
    const result = await run(data, abort.signal);
    self.postMessage({ id: data.id, ...result }, [result.plain.buffer]);
  } catch (e) {
    self.postMessage({ id: data.id, error: { kind: e.kind ?? 'bug', message: String(e.message), advice: e.advice } });
  } finally {
    running.delete(data.id);
  }
};

async function run(job, signal) {
  for (let tries = 1; ; tries++) {
    try {
      return await once(job, signal);
    } catch (e) {
      // Bytes of two answers may have been put together that are not of one file: once more, from the start.
      if (e.kind !== 'wrong' || tries === 2) throw e;
    }
  }
}

async function once(job, signal) {
  const length = job.to - job.from;
  // What is opened into another buffer leaves its own behind.
  const buffer = job.key ? take(length) : new ArrayBuffer(length);
  try {
    return await fill(job, new Uint8Array(buffer, 0, length), signal);
  } finally {
    if (job.key && spare.length < spareMax) spare.push(buffer);
  }
}

function take(length) {
  const found = spare.findIndex(buffer => buffer.byteLength >= length);
  return found < 0 ? new ArrayBuffer(length) : spare.splice(found, 1)[0];
}

async function fill(job, sealed, signal) {
  const checks = [];
  let checked = 0;
  const opening = job.key ? new Opening(job, sealed) : null;
  await fetchInto(job, sealed, signal, got => {
    // While the rest is on its way, what is there is verified and opened.
    for (; checked < job.rules.length; checked++) {
      const start = checked * job.pieceBytes;
      const end = Math.min(start + job.pieceBytes, sealed.length);
      if (end > got) break;
      checks.push(watched(check(job, sealed.subarray(start, end), checked)));
    }
    opening?.advance(got);
  });
  await Promise.all(checks);
  if (!opening) return { head: new Uint8Array(), plain: sealed, tail: new Uint8Array() };
  return opening.finish();
}

/** It is waited for later: until then its failure is nobody's surprise. */
function watched(promise) {
  promise.catch(() => {});
  return promise;
}

async function check(job, bytes, index) {
  if (!await pieceFits(bytes, job.rules[index])) throw new Refusal('wrong', String(job.firstPiece + index));
}

/** Opens the chunks that lie whole in the stretch; what is cut by its ends is joined by who asked. */
class Opening {
  constructor(job, sealed) {
    this.job = job;
    this.sealed = sealed;
    this.chunks = age.chunkCount(job.size);
    this.next = Math.max(0, Math.ceil((job.from - age.nonceBytes) / age.sealedChunkBytes));
    this.first = this.next;
    const past = Math.floor((job.to - age.nonceBytes) / age.sealedChunkBytes);
    this.past = Math.max(this.first, job.to === job.blobLength ? this.chunks : past);
    this.plain = new Uint8Array(Math.max(0, this.plainEnd() - this.first * age.chunkBytes));
    this.open = opener(job.key);
    this.work = [];
  }

  plainEnd() {
    return this.past === this.first ? this.first * age.chunkBytes
      : Math.min(this.past * age.chunkBytes, this.job.size);
  }

  place(chunk) {
    return age.nonceBytes + chunk * age.sealedChunkBytes - this.job.from;
  }

  advance(got) {
    for (; this.next < this.past; this.next++) {
      const start = this.place(this.next);
      const end = Math.min(start + age.sealedChunkBytes, this.sealed.length);
      if (end > got) return;
      this.work.push(watched(this.openChunk(this.next, this.sealed.subarray(start, end))));
    }
  }

  async openChunk(chunk, box) {
    let plain;
    try {
      plain = await (await this.open)(age.chunkNonce(chunk, chunk === this.chunks - 1), box);
    } catch {
      throw new Refusal('wrong', `chunk ${chunk}`);
    }
    this.plain.set(plain, (chunk - this.first) * age.chunkBytes);
  }

  async finish() {
    await Promise.all(this.work);
    const isNone = this.past === this.first;
    const headEnd = Math.min(this.place(this.first), this.sealed.length);
    const tailStart = isNone ? headEnd : Math.min(this.place(this.past), this.sealed.length);
    return {
      head: this.sealed.slice(0, headEnd), plain: this.plain, tail: this.sealed.slice(tailStart),
      firstChunk: this.first,
    };
  }
}

/** A connection that is cut or stalls is taken up again where it broke, for as long as the page is open. */
async function fetchInto(job, target, signal, arrived) {
  let got = 0;
  for (let failures = 0; got < target.length;) {
    const before = got;
    let wait = 0;
    try {
      wait = await read();
    } catch (e) {
      if (e.kind || signal.aborted) throw e.kind ? e : new Refusal('cancelled', 'cancelled');
    }
    if (got === target.length) break;
    failures = got > before ? 1 : failures + 1;
    const ms = Math.max(wait, Math.min(waitMsMax, 250 * 2 ** failures));
    self.postMessage({ id: job.id, waiting: ms });
    await pause(ms, signal);
  }

  async function read() {
    const stalled = new AbortController();
    const both = AbortSignal.any([signal, stalled.signal]);
    let timer = setTimeout(() => stalled.abort(), stallMs);
    try {
      const answer = await fetch(job.url, {
        headers: { Range: `bytes=${job.from + got}-${job.to - 1}`, ...job.headers },
        cache: 'no-store', credentials: 'omit', redirect: 'error', signal: both,
      });
      if (answer.status !== 206) return await refused(answer);
      const next = parts(answer.body);
      for (;;) {
        const { done, value } = await next();
        if (done) return 0;
        if (got + value.length > target.length) throw new Refusal('wrong', 'too much');
        target.set(value, got);
        got += value.length;
        arrived(got);
        clearTimeout(timer);
        timer = setTimeout(() => stalled.abort(), stallMs);
      }
    } finally {
      clearTimeout(timer);
      stalled.abort();
    }
  }
}

/** What comes, into one buffer over and over where the browser can. */
function parts(body) {
  let reader;
  try {
    reader = body.getReader({ mode: 'byob' });
  } catch {
    reader = body.getReader();
    return () => reader.read();
  }
  let buffer = new ArrayBuffer(256 << 10);
  return async () => {
    const read = await reader.read(new Uint8Array(buffer));
    buffer = read.value?.buffer ?? buffer;
    return read;
  };
}

/** How long to wait where it makes sense to ask again; else throws what the agent said. */
async function refused(answer) {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const isPassing = answer.status === 429 || answer.status >= 500 || answer.status === 200;
  if (isPassing) return Math.min(60, Number(answer.headers.get('Retry-After')) || 0) * 1000;
  let message = `status ${answer.status}`;
  let advice;
  try {
    const error = decode(bytes);
    message = toText(error.get('message'));
    advice = error.has('advice') ? toText(error.get('advice')) : undefined;
  } catch {
    // Whatever stands between here and the agent said it in words of its own.
  }
  throw new Refusal('refused', message, advice);
}

const pause = (ms, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    reject(new Refusal('cancelled', 'cancelled'));
  }, { once: true });
});
