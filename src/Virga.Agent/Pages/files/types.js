// What a browser may show of a file, by its name alone. Nothing in this list can run a script in a sandbox.

const types = {
  aac: 'audio/aac', flac: 'audio/flac', m4a: 'audio/mp4', mp3: 'audio/mpeg', oga: 'audio/ogg', ogg: 'audio/ogg',
  opus: 'audio/ogg', wav: 'audio/wav', weba: 'audio/webm',
  m4v: 'video/mp4', mov: 'video/quicktime', mp4: 'video/mp4', ogv: 'video/ogg', webm: 'video/webm',
  avif: 'image/avif', bmp: 'image/bmp', gif: 'image/gif', jpeg: 'image/jpeg', jpg: 'image/jpeg', png: 'image/png',
  svg: 'image/svg+xml', webp: 'image/webp',
  csv: 'text/plain', json: 'text/plain', log: 'text/plain', md: 'text/plain', txt: 'text/plain',
};

/** { type, kind: 'audio' | 'video' | 'image' | 'text' | null, isShown } */
export function typeOf(name) {
  const type = types[/\.([^.]+)$/.exec(name)?.[1].toLowerCase() ?? ''];
  return type ? { type, kind: type.split('/')[0], isShown: true } : { type: null, kind: null, isShown: false };
}
