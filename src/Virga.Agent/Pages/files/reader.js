// Reads a file of the share in order, through several workers at once: what comes out is verified and plain.

import * as age from './age.js';
import { isNativeHere, opener } from './chacha.js';
import { concat, equal, release, toHex } from './bytes.js';
import { layerFits, pieceHashes } from './tree.js';
import { keyOf } from './torrent.js';

const stretchBytes = 1 << 20;
const firstStretchBytes = 512 << 10;
const workersMax = 4;

export class ReadError extends Error {
  constructor({ kind, message, advice }) {
    super(message);
    this.kind = kind;
    this.advice = advice;
  }
}

export class ShareReader {
  /** @param pass null in public shares; else makes the Authorization header. */
  constructor(base, pieceBytes, pass) {
    this.base = base;
    this.pieceBytes = pieceBytes;
    this.pass = pass;
    this.workers = [];
    this.jobs = new Map();
    this.nextId = 0;
    /** Told with milliseconds when a connection was lost and is tried again after them. */
    this.onwaiting = () => {};
  }

  /** Plain bytes [offset, offset + length) of a file, in order, in parts of a few MiB. */
  async *read(file, offset, length, signal) {
    if (length === 0) return;
    // The browser's own cryptography has threads of its own: one worker keeps them busy, in the least memory.
    this.count ??= await isNativeHere() ? 1 : Math.min(workersMax, navigator.hardwareConcurrency || 2);
    const key = await keyOf(file);
    yield* key ? this.readSealed(file, key, offset, length, signal) : this.readPlain(file.blob, offset, length, signal);
  }

  /** A blob as it is. */
  async *readPlain(blob, offset, length, signal) {
    this.count ??= 1;
    let at = null;
    for await (const { from, plain } of this.stretches({ blob }, offset, offset + length, signal)) {
      at ??= from;
      const start = at;
      // Who takes a part may hand its buffer on: it is not looked at again.
      at += plain.length;
      yield plain.subarray(Math.max(0, offset - start), Math.min(plain.length, offset + length - start));
    }
  }

  async *readSealed(file, key, offset, length, signal) {
    const first = Math.floor(offset / age.chunkBytes);
    const past = Math.ceil((offset + length) / age.chunkBytes);
    const from = first === 0 ? 0 : age.nonceBytes + first * age.sealedChunkBytes;
    const to = Math.min(age.nonceBytes + past * age.sealedChunkBytes, file.blob.length);
    const open = await opener(key);
    const chunks = age.chunkCount(file.size);
    let carry = null;
    let at = first * age.chunkBytes;
    for await (const part of this.stretches({ blob: file.blob, key, size: file.size }, from, to, signal)) {
      // What came before the first chunk that was asked for is nobody's.
      const skipped = carry === null ? Math.max(0, from - part.from) : 0;
      let cut = part.isJoined ? part.head
        : concat(carry ?? new Uint8Array(), part.head.subarray(Math.min(skipped, part.head.length)));
      if (part.isJoined && carry) release(carry.buffer);
      carry = part.tail;
      if (part.from === 0 && from === 0) {
        if (!equal(cut.subarray(0, age.nonceBytes), file.nonce)) throw new ReadError({ kind: 'wrong', message: '0' });
        cut = cut.subarray(age.nonceBytes);
      }
      if (cut.length > 0) {
        const chunk = at / age.chunkBytes;
        const whole = Math.min(age.sealedChunkBytes, file.size - at + age.tagBytes);
        if (cut.length < whole && part.plain.length === 0) {
          carry = concat(cut, part.tail);
          continue;
        }
        let plain;
        try {
          plain = await open(age.chunkNonce(chunk, chunk === chunks - 1), cut);
        } catch {
          throw new ReadError({ kind: 'wrong', message: `chunk ${chunk}` });
        }
        at += plain.length;
        yield* trimmed(plain, at - plain.length);
      }
      let plain = part.plain;
      if (plain.length > 0) {
        const start = part.firstChunk * age.chunkBytes;
        plain = plain.subarray(Math.max(0, at - start));
        at += plain.length;
        yield* trimmed(plain, at - plain.length);
      }
    }

    function* trimmed(plain, start) {
      const end = Math.max(0, Math.min(plain.length, offset + length - start));
      const part = plain.subarray(Math.max(0, offset - start), end);
      if (part.length > 0) yield part;
    }
  }

  /**
   * Verified stretches that hold [from, to) of the blob, whole pieces each. One connection brings them all where the
   * browser's own cryptography keeps up with it; else several workers take a stretch each.
   */
  async *stretches({ blob, key, size }, from, to, signal) {
    if (blob.isVerified === undefined) {
      blob.isVerified = blob.length <= this.pieceBytes
        || layerFits(blob.layer, blob.root, blob.length, this.pieceBytes);
    }
    if (!blob.isVerified) throw new ReadError({ kind: 'wrong', message: 'layer' });
    let next = Math.floor(from / this.pieceBytes);
    const past = Math.ceil(to / this.pieceBytes);
    const perStretch = Math.max(1, stretchBytes / this.pieceBytes);
    const perJob = this.count === 1 ? past - next : perStretch;
    let isSecondTry = false;
    let first = next;
    const jobs = [];
    try {
      while (first < past) {
        for (; next < past && jobs.length < this.count; next = jobs.at(-1).past)
          jobs.push(this.start({ blob, key, size }, next, Math.min(past, next + perJob), perStretch));
        let part;
        try {
          part = await untilAborted(jobs[0].take(), signal);
        } catch (e) {
          // Bytes of two answers may have been put together that are not of one file: once more, from there.
          if (e.kind !== 'wrong' || isSecondTry) throw e;
          isSecondTry = true;
          for (const job of jobs.splice(0)) job.cancel();
          next = first;
          continue;
        }
        first = part.past;
        if (first >= jobs[0].past) jobs.shift().end();
        yield part;
      }
    } finally {
      for (const job of jobs) job.cancel();
    }
  }

  /** A buffer that came with a part and is done with. */
  giveBack(buffer) {
    if (buffer.byteLength >= stretchBytes) this.workers[0]?.postMessage({ spare: buffer }, [buffer]);
  }

  start({ blob, key, size }, first, past, perStretch) {
    const id = this.nextId++;
    const worker = this.workers[id % this.count] ??= this.hire();
    const { hashes, width } = pieceHashes(blob, this.pieceBytes, first, past);
    const ready = [];
    const job = { ready, wake: null, error: null };
    this.jobs.set(id, job);
    const headers = async () => this.pass ? { Authorization: await this.pass() } : {};
    job.goOn = async taken => worker.postMessage({ job: id, headers: await headers(), taken });
    (async () => worker.postMessage({
      id, url: `${this.base}/blobs/${toHex(blob.root)}`, to: Math.min(past * this.pieceBytes, blob.length), hashes,
      width, firstPiece: first, pastPiece: past, piecesMax: perStretch,
      // Seeking shows something soon: the first stretches are short.
      firstPieces: this.count === 1 ? Math.max(1, firstStretchBytes / this.pieceBytes) : perStretch,
      key, size, pieceBytes: this.pieceBytes, blobLength: blob.length, headers: await headers(),
    }))();
    return {
      past,
      take: async () => {
        while (ready.length === 0 && !job.error) await new Promise(resolve => { job.wake = resolve; });
        if (ready.length === 0) throw new ReadError(job.error);
        job.goOn(true);
        return ready.shift();
      },
      end: () => this.jobs.delete(id),
      cancel: () => {
        this.jobs.delete(id);
        worker.postMessage({ job: id, cancel: true });
      },
    };
  }

  hire() {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => {
      const job = this.jobs.get(data.id);
      if (!job) return;
      if (data.waiting !== undefined) {
        job.goOn(false);
        this.onwaiting(data.waiting);
        return;
      }
      if (data.error) job.error = data.error;
      else job.ready.push(data);
      job.wake?.();
    };
    worker.onerror = () => {
      for (const job of this.jobs.values()) {
        job.error = { kind: 'bug', message: 'a worker ended' };
        job.wake?.();
      }
    };
    return worker;
  }
}

function untilAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(new ReadError({ kind: 'cancelled', message: 'cancelled' }));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
