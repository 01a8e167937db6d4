"""libtorrent 2.0 as a client: OPTIONS (JSON) with source (magnet link or .torrent), folder, listen, pex, lsd, dht (a node
host:port, or null), utp (no TCP with peers), and peers host:port that it connects to, again and again."""
import json
import sys
import time

import libtorrent as lt

options = json.loads(sys.argv[1])
session = lt.session({
    "listen_interfaces": options["listen"], "enable_dht": options["dht"] is not None, "enable_lsd": options.get("lsd", False),
    "enable_upnp": False, "enable_natpmp": False, "dht_bootstrap_nodes": options["dht"] or "",
    "validate_https_trackers": False,
    # Else each new try is over uTP first.
    "enable_outgoing_utp": not options.get("peers"),
    "enable_outgoing_tcp": not options.get("utp"), "enable_incoming_tcp": not options.get("utp"),
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
    | lt.alert.category_t.connect_notification | lt.alert.category_t.peer_notification
    | lt.alert.category_t.tracker_notification,
})
if options["source"].startswith("magnet:"):
    params = lt.parse_magnet_uri(options["source"])
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(options["source"])
params.save_path = options["folder"]
if not options["pex"]:
    params.flags |= lt.torrent_flags.disable_pex
torrent = session.add_torrent(params)
while True:
    for peer in options.get("peers", []):
        host, port = peer.rsplit(":", 1)
        torrent.connect_peer((host, int(port)))
    time.sleep(0.5)
    for alert in session.pop_alerts():
        print(f"{type(alert).__name__}: {alert.message()}", file=sys.stderr, flush=True)
