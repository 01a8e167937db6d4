// The info dict of a share, its piece layers, and the manifest of a private one (spec/v1/content.md).

import { binary, decode } from './bencode.js';
import { toHex, toText } from './bytes.js';
import * as age from './age.js';

const privateName = 'virga';
const manifestBytesMax = 64 << 20;

/** { name, pieceBytes, isPrivate, isSingle, files: [{ path, length, root, isLink }] }, in the torrent's order. */
export function readInfo(bytes) {
  const info = decode(bytes);
  const keys = [...info.keys()].join();
  if (keys !== 'file tree,meta version,name,piece length' || info.get('meta version') !== 2)
    throw new Error('this share is of a form that this page does not know');
  const name = toText(info.get('name'));
  const pieceBytes = info.get('piece length');
  if (!(pieceBytes >= 65536 && pieceBytes <= 8 << 20 && (pieceBytes & (pieceBytes - 1)) === 0))
    throw new Error('this share has pieces of an impossible size');
  const files = [];
  walk(info.get('file tree'), [], files);
  const isSingle = files.length === 1 && files[0].path.length === 1 && files[0].path[0] === name;
  return { name, pieceBytes, isPrivate: name === privateName && files[0]?.path[0] === '00000000', isSingle, files };
}

function walk(tree, path, files) {
  if (!(tree instanceof Map)) throw new Error('this share is of a form that this page does not know');
  for (const [key, value] of tree) {
    if (key === '') {
      const length = value.get('length') ?? 0;
      const root = value.get('pieces root') ?? null;
      const isLink = value.has('symlink path');
      if (!isLink && (length > 0) !== (root?.length === 32)) throw new Error('a file of this share has no root');
      files.push({ path, length, root, isLink });
      continue;
    }
    const name = toText(Uint8Array.from(key, c => c.charCodeAt(0)));
    if (name === '.' || name === '..' || /[/\0]/.test(name)) throw new Error('a file of this share has no good name');
    walk(value, [...path, name], files);
  }
}

/** Piece layers by their roots in hexadecimal. */
export function readLayers(bytes) {
  const layers = new Map();
  for (const [key, layer] of decode(bytes)) layers.set(toHex(Uint8Array.from(key, c => c.charCodeAt(0))), layer);
  return layers;
}

/** The torrent's file as a blob that can be read and verified. */
export function blobOf(file, layers) {
  return { root: file.root, length: file.length, layer: layers.get(toHex(file.root)) ?? new Uint8Array() };
}

export function requireReadable(blob) {
  if (blob.length > manifestBytesMax)
    throw new Error('this share has too many files for a browser: bring it into an account with Virga');
}

/** Files of an opened manifest; each carries the keys that open its blob. */
export async function readManifest(bytes, info, layers) {
  const manifest = decode(bytes);
  if (manifest.get('v') !== 1) throw new Error('this share is of a newer version than this page');
  const identity = await age.identity(manifest.get('identity'));
  const byRoot = new Map(info.files.map(file => [binary(file.root ?? new Uint8Array()), file]));
  const files = [];
  for (const entry of manifest.get('entries')) {
    if (binary(entry.get('kind')) !== 'f') continue;
    const path = toText(entry.get('path')).split('/');
    const size = entry.get('size');
    const root = entry.get('root') ?? null;
    if (path.some(name => name === '' || name === '.' || name === '..')) throw new Error('a file has no good name');
    if (size > 0 && !root) throw new Error('a file of this share has no root');
    let blob = null;
    if (root) {
      const file = byRoot.get(binary(root));
      if (!file || file.length !== age.sealedLength(size)) throw new Error('the share contradicts itself');
      blob = blobOf(file, layers);
    }
    files.push({ path, size, blob, header: entry.get('head'), nonce: entry.get('nonce'), identity });
  }
  return files;
}

export function publicFiles(info, layers) {
  return info.files.filter(file => !file.isLink).map(file => (
    { path: file.path, size: file.length, blob: file.root ? blobOf(file, layers) : null }));
}

/** The key of a file's chunks; null in public shares. Opened once, when the file is first read. */
export async function keyOf(file) {
  if (!file.header) return null;
  file.key ??= (async () => {
    const opened = await age.openHeader(file.header, file.identity);
    if (!opened) throw new Error('the share contradicts itself: a file is sealed to another key');
    return age.payloadKey(opened.fileKey, file.nonce);
  })();
  return file.key;
}
