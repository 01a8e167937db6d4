"""Somebody who has next to nothing, takes next to nothing, and tells everybody of everybody: LISTEN (host:port),
FOLDER. Each file ROW.json that comes to lie there names a torrent file, a folder, and a peer host:port that it connects to,
again and again; once it is connected, the torrent's hash is printed. Prints a line when it begins."""
import glob
import json
import os
import sys
import time

import libtorrent as lt

session = lt.session({
    "listen_interfaces": sys.argv[1], "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False, "enable_outgoing_utp": False, "min_reconnect_time": 1, "max_failcount": 1000,
    "alert_mask": lt.alert.category_t.connect_notification | lt.alert.category_t.peer_notification
    | lt.alert.category_t.error_notification,
})
torrents = {}
connected = set()
print("up", flush=True)
while True:
    for name in glob.glob(os.path.join(sys.argv[2], "*.json")):
        if name in torrents:
            continue
        with open(name) as file:
            wanted = json.load(file)
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(wanted["file"])
        params.save_path = wanted["folder"]
        # All run at once, and so slowly that nobody can have the content from here.
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        params.download_limit = 2_000
        torrents[name] = (session.add_torrent(params), wanted["peer"].rsplit(":", 1), wanted["hash"])
    for name, (torrent, (host, port), swarm) in torrents.items():
        there = {peer.ip[0]: peer for peer in torrent.get_peer_info()}
        if host not in there:
            torrent.connect_peer((host, int(port)))
        elif name not in connected and not there[host].flags & (lt.peer_info.handshake | lt.peer_info.connecting):
            connected.add(name)
            print(swarm, flush=True)
    time.sleep(0.3)
    for alert in session.pop_alerts():
        print(f"{type(alert).__name__}: {alert.message()}", file=sys.stderr, flush=True)
