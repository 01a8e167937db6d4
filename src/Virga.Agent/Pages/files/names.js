// Names come from others: shown so that they can't pretend to be something else, saved so that they do no harm.

// Control characters; what turns the direction of text around; what has no width.
const misleading = new RegExp('[' + [
  '\\u0000-\\u001f\\u007f-\\u009f', '\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069',
  '\\u00ad\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f',
  '\\u200b-\\u200d\\u2028\\u2029\\u2060-\\u2065\\u206a-\\u206f',
  '\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffc\\u{e0000}-\\u{e0fff}',
].join('') + ']', 'gu');

/** As text for people: what would mislead stands there as its number. */
export const shown = name =>
  name.replace(misleading, c => `\\u{${c.codePointAt(0).toString(16).toUpperCase()}}`);

/** As the name of a file on somebody's disk. */
export function saved(name) {
  const safe = name.replace(misleading, '_').replace(/[\\/:*?"<>|]/g, '_').replace(/[. ]+$/, '_').slice(0, 200);
  return safe === '' || /^\.+$/.test(safe) ? 'file' : safe;
}

export function bytesText(bytes, language) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let step = 0;
  while (bytes >= 1024 && step < units.length - 1) {
    bytes /= 1024;
    step++;
  }
  const digits = step === 0 || bytes >= 100 ? 0 : 1;
  return `${bytes.toLocaleString(language, { maximumFractionDigits: digits })} ${units[step]}`;
}
