// webtorrent as a client: OPTIONS (JSON) with source (magnet link or .torrent), folder, port, pex, lsd, dht (a node
// host:port, or null), and where its package lies.
'use strict'
const options = JSON.parse(process.argv[2])
// Our web seed's certificate is its own.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
const WebTorrent = require(options.package)
const client = new WebTorrent({
  torrentPort: options.port,
  dhtPort: options.port + 1,
  dht: options.dht ? { bootstrap: [options.dht] } : false,
  lsd: options.lsd,
  utPex: options.pex
})
client.on('error', error => console.error('error', error))
const torrent = client.add(options.source, { path: options.folder })
for (const event of ['warning', 'error', 'infoHash', 'metadata', 'ready', 'done', 'noPeers']) {
  torrent.on(event, what => console.error(event, what ? String(what) : ''))
}
torrent.on('wire', (wire, address) => console.error('wire', address))
