// BEP 52's Merkle tree: leaves of 16 KiB, SHA-256. Leaves are hashed by the browser, the nodes above them here: they
// are too small to be worth a call each.

import { sha256 } from './vendor/hashes/sha2.js';
import { equal } from './bytes.js';

export const leafBytes = 16 << 10;
const hashBytes = 32;

/** Hashes of the leaves of a stretch that begins at a leaf, one after the other. */
export async function leafHashes(bytes) {
  const count = Math.ceil(bytes.length / leafBytes);
  const hashes = new Uint8Array(count * hashBytes);
  const made = await Promise.all(Array.from({ length: count }, (_, i) =>
    crypto.subtle.digest('SHA-256', bytes.subarray(i * leafBytes, (i + 1) * leafBytes))));
  made.forEach((hash, i) => hashes.set(new Uint8Array(hash), i * hashBytes));
  return hashes;
}

/** The node above `hashes`, filled up with `pad` to `width` of them, a power of two. */
export function rootOf(hashes, width, pad = new Uint8Array(hashBytes)) {
  let level = hashes;
  for (let size = width; size > 1; size /= 2) {
    const count = Math.ceil(level.length / hashBytes / 2);
    const next = new Uint8Array(count * hashBytes);
    const pair = new Uint8Array(2 * hashBytes);
    for (let i = 0; i < count; i++) {
      pair.set(level.subarray(2 * i * hashBytes, (2 * i + 1) * hashBytes));
      const right = level.subarray((2 * i + 1) * hashBytes, (2 * i + 2) * hashBytes);
      pair.set(right.length > 0 ? right : pad, hashBytes);
      next.set(sha256(pair), i * hashBytes);
    }
    level = next;
    if (count < size / 2) pad = sha256(Uint8Array.of(...pad, ...pad));
  }
  return level;
}

export const widthOf = count => 2 ** Math.ceil(Math.log2(Math.max(1, count)));

/** Whether the piece layer is that of the blob with this root. */
export function layerFits(layer, root, length, pieceBytes) {
  const count = Math.ceil(length / pieceBytes);
  if (layer.length !== count * hashBytes) return false;
  const pad = rootOf(new Uint8Array(hashBytes), pieceBytes / leafBytes);
  return equal(rootOf(layer, widthOf(count), pad), root);
}

/** What the pieces [first, past) must hash to, one after the other, and how wide the tree of each is. */
export function pieceHashes(blob, pieceBytes, first, past) {
  if (blob.length <= pieceBytes)
    return { hashes: blob.root.slice(), width: widthOf(Math.ceil(blob.length / leafBytes)) };
  return { hashes: blob.layer.slice(first * hashBytes, past * hashBytes), width: pieceBytes / leafBytes };
}

export async function pieceFits(bytes, { hash, width }) {
  return equal(rootOf(await leafHashes(bytes), width), hash);
}
