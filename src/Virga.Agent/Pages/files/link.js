// What a share's web address says, and what follows from the key in it (spec/v1/links.md, guests.md). The part behind
// the # never leaves the browser.

import { check32, concat, fromBase64Url, fromText, toBase64Url, uint64 } from './bytes.js';
import * as age from './age.js';

const sha256 = async bytes => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

export class AddressError extends Error {
  constructor(fault) {
    super(fault);
    this.fault = fault;
  }
}

/** { hash, secret or null, hasFragment }; throws AddressError with 'path', 'truncated' or 'mistyped'. */
export async function readAddress(location) {
  const hash = /^\/s\/([0-9a-f]{64})$/.exec(location.pathname)?.[1];
  if (!hash) throw new AddressError('path');
  const fragment = location.hash.slice(1);
  if (fragment === '') return { hash, secret: null, hasFragment: false };
  const dot = fragment.lastIndexOf('.');
  if (dot < 0 || fragment.length - dot - 1 < 8) throw new AddressError('truncated');
  const text = fragment.slice(0, dot);
  if (fragment.slice(dot + 1) !== check32(await sha256(fromText(`virga-web:1:${hash}#${text}`))))
    throw new AddressError('mistyped');
  if (text === '') return { hash, secret: null, hasFragment: true };
  let secret;
  try {
    secret = fromBase64Url(text);
  } catch {
    throw new AddressError('mistyped');
  }
  if (secret.length !== 32) throw new AddressError('mistyped');
  return { hash, secret, hasFragment: true };
}

export const identityOf = async secret =>
  age.identity(await age.hkdf(secret, new Uint8Array(), 'virga/1/link-identity'));

/** Makes passes that let this page read the share: signed with the link's own key, good for an hour. */
export async function passMaker(secret, hash, agent, now) {
  const seed = await age.hkdf(secret, new Uint8Array(), 'virga/1/link-proof');
  const start = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
  const key = await crypto.subtle.importKey('pkcs8', concat(start, seed), 'Ed25519', false, ['sign']);
  const share = Uint8Array.from(hash.match(/../g), pair => parseInt(pair, 16));
  // By the agent's clock, which this machine's need not agree with.
  const begun = performance.now();
  let made = null;
  return async () => {
    const time = now + Math.floor((performance.now() - begun) / 1000);
    if (made && made.expires - time > 600) return made.text;
    const expires = time + 3000;
    const message = concat(fromText('virga/1/link-read\n'), share, agent, uint64(expires));
    const signature = new Uint8Array(await crypto.subtle.sign('Ed25519', key, message));
    made = { expires, text: `Virga-Link ${expires}.${toBase64Url(signature)}` };
    return made.text;
  };
}

/** The virga: link of the same share, for people who have an agent. */
export async function virgaLink(hash, tail, secret) {
  const start = `virga:1:${hash}${tail}#${secret ? toBase64Url(secret) : ''}`;
  return `${start}.${check32(await sha256(fromText(start)))}`;
}
