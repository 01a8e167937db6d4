// 'Bring it into my cloud': leads to the visitor's own agent, with the link behind the #, which no server is sent.

const place = 'virga-agent';

/** The origin of an agent's page as people write its address; null where that is none, or is open to others. */
export function agentOrigin(written) {
  const text = written.trim();
  let url;
  try {
    url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `${isNear(text.split(/[:/]/)[0]) ? 'http' : 'https'}://${text}`);
  } catch {
    return null;
  }
  if (url.hostname === '' || url.username !== '' || url.password !== '') return null;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isNear(url.hostname)) ? url.origin : null;
}

/** On this machine or in a network of one's own, where agents have no certificate; elsewhere others could read along. */
function isNear(host) {
  return /^(localhost|127(\.\d+){3}|\[::1\]|10(\.\d+){3}|192\.168(\.\d+){2}|172\.(1[6-9]|2\d|3[01])(\.\d+){2})$/i.test(host);
}

export const bringAddress = (origin, link) => `${origin}/bring#${link}`;

export function remembered() {
  try {
    return localStorage.getItem(place) ?? '';
  } catch {
    // The visitor lets no site keep anything.
    return '';
  }
}

/** Keeps the address, or forgets the one that was kept. */
export function remember(origin) {
  try {
    if (origin === null) localStorage.removeItem(place);
    else localStorage.setItem(place, origin);
  } catch {
    // Then it is asked for again.
  }
}
