// Service worker: answers addresses of the share's files with what the page reads and verifies, so that the browser
// saves to its disk and plays with seeking as from any server. It keeps nothing and knows no key.

self.addEventListener('install', event => {
  // What is read from the agent need not come by here, where the browser can be told so.
  event.addRoutes?.([{ condition: { urlPattern: new URLPattern({ pathname: '/v1/guest/*' }) }, source: 'network' }])
    ?.catch(() => {});
  self.skipWaiting();
});
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
// What the page sends while bytes flow, so that this worker is not ended meanwhile.
self.addEventListener('message', () => {});

self.addEventListener('fetch', event => {
  const url = new URL(event.request.url);
  const match = /^\/s\/[0-9a-f]{64}\/file\/([0-9a-z]+)\/([^/]+)\//.exec(url.pathname);
  if (!match || url.origin !== self.location.origin) return;
  event.respondWith(answer(match[1], match[2], event.request, url.searchParams.has('save')));
});

async function answer(page, file, request, isSave) {
  const windows = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const port = await new Promise(resolve => {
    if (windows.length === 0) resolve(null);
    let left = windows.length;
    for (const client of windows) {
      const { port1, port2 } = new MessageChannel();
      // Only the page whose address it is takes it; others close their end of it by saying so.
      port1.onmessage = ({ data }) => {
        if (data.taken) resolve({ port: port1, ...data.taken });
        else if (--left === 0) resolve(null);
      };
      client.postMessage({ page, file, isSave, range: request.headers.get('Range') }, [port2]);
    }
    setTimeout(() => resolve(null), 10_000);
  });
  if (!port) return new Response('Open the share\'s page first, then the file there.\n', { status: 404 });
  return new Response(streamOf(port.port), { status: port.status, headers: port.headers });
}

function streamOf(port) {
  let wanted = null;
  // Handed to the browser. The one before the last was read whole when more than the last is asked for, and goes back
  // to be filled again; were it not so, the browser would find it empty, and miss bytes: the file would not be saved.
  const given = [];
  return new ReadableStream({
    start(controller) {
      port.onmessage = ({ data }) => {
        if (data.error) controller.error(new Error(data.error));
        else if (data.done) controller.close();
        else {
          controller.enqueue(data.part);
          given.push(data.part.buffer);
        }
        wanted?.();
        wanted = null;
      };
    },
    pull() {
      const spare = given.length > 1 ? given.shift() : undefined;
      port.postMessage({ pull: true, spare }, spare ? [spare] : []);
      return new Promise(resolve => { wanted = resolve; });
    },
    cancel() {
      port.postMessage({ cancel: true });
    },
  }, new CountQueuingStrategy({ highWaterMark: 1 }));
}
