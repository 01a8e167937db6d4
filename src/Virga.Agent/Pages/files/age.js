// age v1 (C2SP): headers with X25519 stanzas, and the chunks of a payload.

import { concat, equal, fromBase64, fromBase64Url, fromText } from './bytes.js';
import { opener } from './chacha.js';

export const nonceBytes = 16;
export const chunkBytes = 64 << 10;
export const tagBytes = 16;
export const sealedChunkBytes = chunkBytes + tagBytes;
const headerBytesMax = 64 << 10;

export const sealedLength = plain => nonceBytes + plain + tagBytes * chunkCount(plain);

export const chunkCount = plain => Math.max(1, Math.ceil(plain / chunkBytes));

export async function hkdf(key, salt, info) {
  const from = await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveBits']);
  const how = { name: 'HKDF', hash: 'SHA-256', salt, info: fromText(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(how, from, 256));
}

/** An X25519 identity from its 32 secret bytes. */
export async function identity(secret) {
  // PKCS #8 around the bare key (RFC 8410 section 7).
  const start = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];
  const key = await crypto.subtle.importKey('pkcs8', concat(start, secret), 'X25519', true, ['deriveBits']);
  const { x } = await crypto.subtle.exportKey('jwk', key);
  return { key, publicKey: fromBase64Url(x) };
}

/** The file key and where the payload begins; null where no stanza is for this identity. */
export async function openHeader(data, { key, publicKey }) {
  const header = parse(data.subarray(0, headerBytesMax));
  for (const stanza of header.stanzas) {
    if (stanza.type !== 'X25519') continue;
    const share = fromBase64(stanza.argument);
    if (share.length !== 32 || stanza.body.length !== 32) throw new Error('a header is malformed');
    const other = await crypto.subtle.importKey('raw', share, 'X25519', false, []);
    const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: other }, key, 256));
    const wrap = await hkdf(shared, concat(share, publicKey), 'age-encryption.org/v1/X25519');
    let fileKey;
    try {
      fileKey = await (await opener(wrap))(new Uint8Array(12), stanza.body);
    } catch {
      continue;
    }
    const macKey = await hkdf(fileKey, new Uint8Array(), 'header');
    const hmac = await crypto.subtle.importKey('raw', macKey, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const mac = new Uint8Array(await crypto.subtle.sign('HMAC', hmac, data.subarray(0, header.macAt)));
    if (!equal(mac, header.mac)) throw new Error('a header was changed on the way');
    return { fileKey, length: header.length };
  }
  return null;
}

/** The key of a payload's chunks. */
export const payloadKey = (fileKey, nonce) => hkdf(fileKey, nonce, 'payload');

/** The nonce of a chunk: its number, and whether it is the last. */
export function chunkNonce(index, isLast) {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(3, BigInt(index));
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** A whole age file in memory. */
export async function openFile(data, identity) {
  const header = await openHeader(data, identity);
  if (!header) return null;
  const payload = data.subarray(header.length);
  const open = await opener(await payloadKey(header.fileKey, payload.subarray(0, nonceBytes)));
  const parts = [];
  const chunks = Math.ceil((payload.length - nonceBytes) / sealedChunkBytes);
  for (let i = 0; i < chunks; i++) {
    const start = nonceBytes + i * sealedChunkBytes;
    parts.push(await open(chunkNonce(i, i === chunks - 1), payload.subarray(start, start + sealedChunkBytes)));
  }
  return concat(...parts);
}

function parse(data) {
  const text = String.fromCharCode.apply(null, data.subarray(0, endOf(data)));
  const lines = text.split('\n');
  if (lines.shift() !== 'age-encryption.org/v1') throw new Error('a header is of another version');
  const stanzas = [];
  while (lines.length > 0 && lines[0].startsWith('-> ')) {
    const [type, argument = ''] = lines.shift().slice(3).split(' ');
    let body = '';
    let line;
    do {
      line = lines.shift() ?? '';
      body += line;
    } while (line.length === 64);
    stanzas.push({ type, argument, body: fromBase64(body) });
  }
  const last = lines.shift() ?? '';
  if (!last.startsWith('--- ')) throw new Error('a header is malformed');
  return { stanzas, mac: fromBase64(last.slice(4)), macAt: text.lastIndexOf('\n---') + 4, length: text.length };
}

/** Where the header ends: behind the line that begins with three dashes. */
function endOf(data) {
  for (let i = 0; i + 4 < data.length; i++) {
    if (data[i] !== 10 || data[i + 1] !== 45 || data[i + 2] !== 45 || data[i + 3] !== 45) continue;
    const end = data.indexOf(10, i + 1);
    if (end > 0) return end + 1;
  }
  throw new Error('a header has no end');
}
