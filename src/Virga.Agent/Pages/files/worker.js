// Fetches stretches of a blob, verifies them against the tree and opens them. A stretch is answered only once all of
// it is verified.

import * as age from './age.js';
import { opener } from './chacha.js';
import { decode } from './bencode.js';
import { concat, release, toText } from './bytes.js';
import { pieceFits } from './tree.js';

const running = new Map();
const stallMs = 30_000;
const waitMsMax = 15_000;
// Buffers that are done with: new memory costs the system's time to clear it.
const spare = [];
const spareMax = 6;
// Stretches that are read, verified or on their way to who asked.
const aheadMax = 2;

class Refusal extends Error {
  constructor(kind, message, advice) {
    super(message);
    this.kind = kind;
    this.advice = advice;
  }
}

self.onmessage = ({ data }) => {
  if (data.spare) giveBack(data.spare);
  else if (data.job === undefined) new Job(data).run();
  else if (data.cancel) running.get(data.job)?.cancel();
  else running.get(data.job)?.goOn(data.headers, data.taken);
};

/** One stretch of a blob after the other, from one connection; a few are ahead of what was taken. */
class Job {
  constructor(data) {
    Object.assign(this, data);
    this.abort = new AbortController();
    this.isAhead = 0;
    /** The start of a chunk that the last stretch cut; null where there is none. */
    this.carry = null;
    this.wake = null;
    this.source = new Source(this);
    running.set(this.id, this);
  }

  /** What was sent arrived, or a new pass did. */
  goOn(headers, taken) {
    this.headers = headers;
    if (taken) this.isAhead--;
    this.wake?.();
  }

  cancel() {
    this.abort.abort();
    this.wake?.();
  }

  async run() {
    let posted = Promise.resolve();
    try {
      let pieces = this.firstPieces;
      for (let first = this.firstPiece; first < this.pastPiece;) {
        while (this.isAhead >= aheadMax && !this.abort.signal.aborted)
          await new Promise(resolve => { this.wake = resolve; });
        this.isAhead++;
        const past = Math.min(first + pieces, this.pastPiece);
        const stretch = new Stretch(this, first, past);
        await stretch.read(this.source);
        this.carry = stretch.opening?.carry() ?? null;
        // It is verified and opened while the next one is on its way.
        posted = watched(posted.then(() => this.post(stretch)));
        first = past;
        pieces = Math.min(this.piecesMax, pieces * 2);
      }
      await posted;
    } catch (e) {
      // What went before it and is good still counts.
      await posted.catch(own => { e = own; });
      this.cancel();
      self.postMessage({
        id: this.id, error: { kind: e.kind ?? 'bug', message: String(e.message), advice: e.advice },
      });
    } finally {
      this.source.close();
      running.delete(this.id);
    }
  }

  async post(stretch) {
    try {
      const result = await stretch.finish();
      self.postMessage({ id: this.id, from: stretch.from, past: stretch.past, ...result },
        [result.plain.buffer, result.tail.buffer]);
    } catch (e) {
      this.cancel();
      throw e;
    }
  }

  pieceRule(piece) {
    const at = (piece - this.firstPiece) * 32;
    return { hash: this.hashes.subarray(at, at + 32), width: this.width };
  }
}

/** Pieces that are verified, opened and handed over together. */
class Stretch {
  constructor(job, first, past) {
    this.job = job;
    this.firstPiece = first;
    this.past = past;
    this.from = first * job.pieceBytes;
    this.to = Math.min(past * job.pieceBytes, job.blobLength);
    this.buffer = take(job);
    this.sealed = new Uint8Array(this.buffer, 0, this.to - this.from);
    this.opening = job.key ? new Opening(this) : null;
    this.checks = [];
  }

  async read(source) {
    const { pieceBytes } = this.job;
    await source.fill(this.sealed, this.from, got => {
      for (;;) {
        const start = this.checks.length * pieceBytes;
        const end = Math.min(start + pieceBytes, this.sealed.length);
        if (start >= this.sealed.length || end > got) break;
        this.checks.push(watched(this.check(this.sealed.subarray(start, end), this.firstPiece + this.checks.length)));
      }
      this.opening?.advance(got);
    });
  }

  async check(bytes, piece) {
    if (!await pieceFits(bytes, this.job.pieceRule(piece))) throw new Refusal('wrong', String(piece));
  }

  async finish() {
    try {
      await Promise.all(this.checks);
      return this.opening ? await this.opening.finish()
        : { head: new Uint8Array(), plain: this.sealed, tail: new Uint8Array() };
    } finally {
      // What is opened into another buffer leaves its own behind.
      if (this.opening) giveBack(this.buffer);
    }
  }
}

/** For any stretch of the job. */
function take({ piecesMax, pieceBytes }) {
  const length = piecesMax * pieceBytes + age.chunkBytes;
  const found = spare.findIndex(buffer => buffer.byteLength >= length);
  return found < 0 ? new ArrayBuffer(length) : spare.splice(found, 1)[0];
}

function giveBack(buffer) {
  if (spare.length < spareMax) spare.push(buffer);
  else release(buffer);
}

/** It is waited for later: until then its failure is nobody's surprise. */
function watched(promise) {
  promise.catch(() => {});
  return promise;
}

/**
 * Opens the chunks that lie whole in the stretch, and the one before them if the stretch before it has its start; what
 * is cut otherwise is joined by who asked.
 */
class Opening {
  constructor({ job, sealed, from, to }) {
    this.job = job;
    this.sealed = sealed;
    this.from = from;
    this.chunks = age.chunkCount(job.size);
    this.next = Math.max(0, Math.ceil((from - age.nonceBytes) / age.sealedChunkBytes));
    this.first = this.next;
    const past = Math.floor((to - age.nonceBytes) / age.sealedChunkBytes);
    this.past = Math.max(this.first, to === job.blobLength ? this.chunks : past);
    this.headEnd = Math.min(this.place(this.first), sealed.length);
    const isWhole = this.place(this.first) <= sealed.length || to === job.blobLength;
    this.isJoined = isWhole && job.carry?.length > 0;
    this.cut = this.isJoined ? job.carry : null;
    this.firstOpened = this.isJoined ? this.first - 1 : this.first;
    const start = this.firstOpened * age.chunkBytes;
    const end = Math.min(this.past * age.chunkBytes, job.size);
    this.plain = new Uint8Array(take(job), 0, Math.max(0, end - start));
    this.open = job.open ??= opener(job.key);
    this.work = [];
    this.spent = [];
  }

  place(chunk) {
    return age.nonceBytes + chunk * age.sealedChunkBytes - this.from;
  }

  advance(got) {
    if (this.cut && got >= this.headEnd) {
      const box = concat(this.cut, this.sealed.subarray(0, this.headEnd));
      this.spent.push(box.buffer, this.cut.buffer);
      this.cut = null;
      this.work.push(watched(this.openChunk(this.first - 1, box)));
    }
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
    this.plain.set(plain, (chunk - this.firstOpened) * age.chunkBytes);
    this.spent.push(plain.buffer);
  }

  async finish() {
    await Promise.all(this.work);
    release(...this.spent);
    return {
      head: this.sealed.slice(0, this.isJoined ? 0 : this.headEnd), plain: this.plain, tail: this.tail(),
      firstChunk: this.firstOpened, isJoined: this.isJoined,
    };
  }

  tail() {
    return this.sealed.slice(this.past === this.first ? this.headEnd
      : Math.min(this.place(this.past), this.sealed.length));
  }

  /** What the next stretch goes on from; nothing where this one holds no chunk's start. */
  carry() {
    return this.place(this.first) < this.sealed.length ? this.tail() : null;
  }
}

/** The blob's bytes in order. A connection that is cut or stalls is taken up again where it broke. */
class Source {
  constructor(job) {
    this.job = job;
    this.next = null;
    this.rest = null;
  }

  /** Fills the target with what begins at `from`, right behind what was read before. */
  async fill(target, from, arrived) {
    const { signal } = this.job.abort;
    let got = 0;
    for (let failures = 0; got < target.length;) {
      const before = got;
      let wait = 0;
      try {
        if (!this.next) wait = await this.open(from + got);
        if (this.next) {
          const bytes = this.rest ?? await this.part();
          if (bytes === null) this.close();
          else {
            const used = bytes.subarray(0, target.length - got);
            target.set(used, got);
            got += used.length;
            this.rest = used.length < bytes.length ? bytes.subarray(used.length) : null;
            arrived(got);
          }
        }
      } catch (e) {
        this.close();
        if (e.kind) throw e;
        if (signal.aborted) throw new Refusal('cancelled', 'cancelled');
      }
      if (got > before) failures = 0;
      else if (got < target.length) {
        failures++;
        const ms = Math.max(wait, Math.min(waitMsMax, 250 * 2 ** failures));
        self.postMessage({ id: this.job.id, waiting: ms });
        await pause(ms, signal);
      }
    }
  }

  /** How long to wait where it must be asked again. */
  async open(at) {
    const { job } = this;
    this.stall = new AbortController();
    const answer = await this.timed(fetch(job.url, {
      headers: { Range: `bytes=${at}-${job.to - 1}`, ...job.headers },
      cache: 'no-store', credentials: 'omit', redirect: 'error',
      signal: AbortSignal.any([job.abort.signal, this.stall.signal]),
    }));
    if (answer.status !== 206) return refused(answer);
    this.next = parts(answer.body);
    return 0;
  }

  async part() {
    const { done, value } = await this.timed(this.next());
    return done ? null : value;
  }

  async timed(promise) {
    const timer = setTimeout(() => this.stall.abort(), stallMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  close() {
    this.next = null;
    this.rest = null;
    this.stall?.abort();
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
  let buffer = new ArrayBuffer(1 << 20);
  return async () => {
    const read = await reader.read(new Uint8Array(buffer));
    buffer = read.value?.buffer ?? buffer;
    return read;
  };
}

/** How long to wait where it makes sense to ask again; else throws what the agent said. */
async function refused(answer) {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const isPassing = [200, 401, 429].includes(answer.status) || answer.status >= 500;
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
