// Small helps for bytes: texts, base64, base32, hexadecimal.

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const fromText = text => new TextEncoder().encode(text);

/** Throws where it is not UTF-8. */
export const toText = bytes => utf8.decode(bytes);

export const toHex = bytes => Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('');

export function fromBase64(text) {
  if (!/^[A-Za-z0-9+/]*$/.test(text) || text.length % 4 === 1) throw new Error('no base64');
  const binary = atob(text);
  const bytes = Uint8Array.from(binary, c => c.charCodeAt(0));
  // One form only: no bits behind the last byte.
  if (toBase64(bytes) !== text) throw new Error('base64 in another form');
  return bytes;
}

export const fromBase64Url = text => fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'));

export const toBase64 = bytes => btoa(String.fromCharCode(...bytes)).replaceAll('=', '');

export const toBase64Url = bytes => toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_');

export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

// A port whose other end is closed: what is handed over there is gone at once.
const { port1: sink, port2: end } = new MessageChannel();
end.close();

/** Gives memory back: what is only thrown away stays until the browser gets round to it. */
export const release = (...buffers) => sink.postMessage(null, buffers);

export function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Big-endian, in eight bytes. */
export function uint64(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

/** The first five bytes of a hash, as a link's check characters (spec/v1/links.md). */
export function check32(hash) {
  let bits = 0n;
  for (const b of hash.subarray(0, 5)) bits = (bits << 8n) | BigInt(b);
  let text = '';
  for (let i = 0; i < 8; i++, bits >>= 5n) text = 'abcdefghijklmnopqrstuvwxyz234567'[Number(bits & 31n)] + text;
  return text;
}
