// ChaCha20-Poly1305: the browser's own where it has it, else the library's.

import { chacha20poly1305 } from './vendor/ciphers/chacha.js';

let isNative;

/** Whether the browser does it itself, and beside the scripts. */
export async function isNativeHere() {
  await opener(new Uint8Array(32));
  return isNative;
}

/** For one key: opens boxes (ciphertext and tag). Rejects where a box was changed. */
export async function opener(key) {
  if (isNative !== false) {
    try {
      const own = await crypto.subtle.importKey('raw-secret', key, 'ChaCha20-Poly1305', false, ['decrypt']);
      isNative = true;
      return async (nonce, box) =>
        new Uint8Array(await crypto.subtle.decrypt({ name: 'ChaCha20-Poly1305', iv: nonce, tagLength: 128 }, own, box));
    } catch {
      isNative = false;
    }
  }
  return async (nonce, box) => chacha20poly1305(key, nonce).decrypt(box);
}
