// Many files as one .zip that is made while it is saved: stored, not compressed; ZIP64, so that nothing is too long
// (PKWARE APPNOTE 6.3.9). Its length is known before it begins.

import { concat, fromText } from './bytes.js';

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});
// Four bytes at a time.
const tables = [table];
for (let i = 1; i < 4; i++) tables.push(tables[i - 1].map(n => table[n & 255] ^ (n >>> 8)));

function crc32(crc, bytes) {
  const [t0, t1, t2, t3] = tables;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc = t3[crc & 255] ^ t2[(crc >>> 8) & 255] ^ t1[(crc >>> 16) & 255] ^ t0[crc >>> 24];
  }
  for (; i < bytes.length; i++) crc = t0[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return crc;
}

const localBytes = 30 + 20;
const descriptorBytes = 24;
const centralBytes = 46 + 28;
const endBytes = 56 + 20 + 22;

/** @param entries { name, size, parts: () => parts in order } */
export function zipLength(entries) {
  return entries.reduce((sum, { name, size }) => {
    const bytes = fromText(name).length;
    return sum + localBytes + bytes + size + descriptorBytes + centralBytes + bytes;
  }, endBytes);
}

export async function* zip(entries) {
  const central = [];
  let at = 0;
  for (const { name, size, parts } of entries) {
    const bytes = fromText(name);
    const local = header(localBytes, bytes, view => {
      common(view, 4, bytes.length, 20);
      view.setUint32(0, 0x04034b50, true);
      extra(view, 30 + bytes.length, [0, 0]);
    });
    // Who takes a part may hand its buffer on: nothing of it is looked at again.
    const length = local.length + size + descriptorBytes;
    yield local;
    let crc = -1;
    for await (const part of parts()) {
      crc = crc32(crc, part);
      yield part;
    }
    crc = ~crc >>> 0;
    yield descriptor(crc, size);
    central.push(header(centralBytes, bytes, view => {
      view.setUint32(0, 0x02014b50, true);
      view.setUint16(4, 0x032d, true);
      common(view, 6, bytes.length, 28);
      view.setUint32(16, crc, true);
      view.setUint32(38, 0o100644 << 16 >>> 0, true);
      view.setUint32(42, 0xffffffff, true);
      extra(view, 46 + bytes.length, [size, size, at]);
    }));
    at += length;
  }
  const directory = concat(...central);
  const ending = end(central.length, directory.length, at);
  yield directory;
  yield ending;
}

function header(length, name, fill) {
  const bytes = new Uint8Array(length + name.length);
  bytes.set(name, length === localBytes ? 30 : 46);
  fill(new DataView(bytes.buffer));
  return bytes;
}

/** From "version needed" on: names in UTF-8, the sizes behind the content, and in the extra field. */
function common(view, at, nameBytes, extraBytes) {
  view.setUint16(at, 45, true);
  view.setUint16(at + 2, 0x0808, true);
  // 1980-01-01, the first day that there is.
  view.setUint16(at + 8, 0x21, true);
  view.setUint32(at + 14, 0xffffffff, true);
  view.setUint32(at + 18, 0xffffffff, true);
  view.setUint16(at + 22, nameBytes, true);
  view.setUint16(at + 24, extraBytes, true);
}

function extra(view, at, numbers) {
  view.setUint16(at, 1, true);
  view.setUint16(at + 2, numbers.length * 8, true);
  numbers.forEach((number, i) => view.setBigUint64(at + 4 + 8 * i, BigInt(number), true));
}

function descriptor(crc, size) {
  const view = new DataView(new ArrayBuffer(descriptorBytes));
  view.setUint32(0, 0x08074b50, true);
  view.setUint32(4, crc, true);
  view.setBigUint64(8, BigInt(size), true);
  view.setBigUint64(16, BigInt(size), true);
  return new Uint8Array(view.buffer);
}

function end(count, length, at) {
  const view = new DataView(new ArrayBuffer(endBytes));
  view.setUint32(0, 0x06064b50, true);
  view.setBigUint64(4, 44n, true);
  view.setUint16(12, 45, true);
  view.setUint16(14, 45, true);
  view.setBigUint64(24, BigInt(count), true);
  view.setBigUint64(32, BigInt(count), true);
  view.setBigUint64(40, BigInt(length), true);
  view.setBigUint64(48, BigInt(at), true);
  view.setUint32(56, 0x07064b50, true);
  view.setBigUint64(64, BigInt(at + length), true);
  view.setUint32(72, 1, true);
  view.setUint32(76, 0x06054b50, true);
  view.setUint16(84, 0xffff, true);
  view.setUint16(86, 0xffff, true);
  view.setUint32(88, 0xffffffff, true);
  view.setUint32(92, 0xffffffff, true);
  return new Uint8Array(view.buffer);
}
