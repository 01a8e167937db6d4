// Strict bencode (spec/v1/encodings.md): what breaks a rule is refused, never repaired.

const depthMax = 256;

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  value(depth) {
    if (depth > depthMax) throw bad('it is nested too deep');
    const first = this.bytes[this.at];
    if (first === 0x69) return this.integer();
    if (first === 0x6c) return this.list(depth);
    if (first === 0x64) return this.dictionary(depth);
    return this.string();
  }

  integer() {
    const end = this.bytes.indexOf(0x65, ++this.at);
    if (end < 0 || end - this.at > 20) throw bad('a number has no end');
    const text = String.fromCharCode(...this.bytes.subarray(this.at, end));
    if (!/^(0|-?[1-9][0-9]*)$/.test(text)) throw bad('a number is malformed');
    this.at = end + 1;
    const number = Number(text);
    return Number.isSafeInteger(number) ? number : BigInt(text);
  }

  string() {
    const colon = this.bytes.indexOf(0x3a, this.at);
    if (colon < 0 || colon - this.at > 12) throw bad('a string is malformed');
    let length = 0;
    for (let i = this.at; i < colon; i++) {
      const digit = this.bytes[i] - 0x30;
      if (digit < 0 || digit > 9) throw bad('a length is malformed');
      length = length * 10 + digit;
    }
    if (colon === this.at || (this.bytes[this.at] === 0x30 && colon > this.at + 1)) throw bad('a length is malformed');
    if (length > this.bytes.length - colon - 1) throw bad('it is cut short');
    this.at = colon + 1 + length;
    return this.bytes.subarray(colon + 1, this.at);
  }

  list(depth) {
    const items = [];
    this.at++;
    while (this.more()) items.push(this.value(depth + 1));
    return items;
  }

  dictionary(depth) {
    const fields = new Map();
    let before = null;
    this.at++;
    while (this.more()) {
      const key = this.string();
      if (before && compare(before, key) >= 0) throw bad('keys are not in order');
      before = key;
      fields.set(binary(key), this.value(depth + 1));
    }
    return fields;
  }

  more() {
    if (this.at >= this.bytes.length) throw bad('it is cut short');
    if (this.bytes[this.at] !== 0x65) return true;
    this.at++;
    return false;
  }
}

/** Integers become numbers (BigInt beyond 2^53), strings Uint8Array, dictionaries Map by keys of one char a byte. */
export function decode(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw bad('something follows it');
  return value;
}

/** A key or string as text of one character a byte. */
export function binary(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

function compare(a, b) {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function bad(why) {
  return new Error(`an answer is malformed: ${why}`);
}
