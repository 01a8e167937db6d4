// Names come from others: shown so that they can't pretend to be something else, saved so that they do no harm.

// Control characters; what turns the direction of text around; what has no width.
const misleading = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\u{e0000}-\u{e0fff}]/gu;

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
