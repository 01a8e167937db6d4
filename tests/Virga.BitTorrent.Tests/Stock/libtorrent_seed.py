"""Seeds what lies in FOLDER/NAME with libtorrent. OPTIONS (JSON): kind (v1, hybrid, v2), piece (bytes), private (BEP
27), trackers, settings of libtorrent; or torrent (a file), which is seeded as it is. Prints a line of JSON: port, magnet, torrent (hex); ends
when its input is closed, so that it dies with its caller."""
import json
import os
import sys
import threading

import libtorrent as lt

folder, name, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])


def make():
    kinds = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}
    files = lt.file_storage()
    lt.add_files(files, os.path.join(folder, name))
    made = lt.create_torrent(files, options.get("piece", 0), kinds[options["kind"]])
    made.set_priv(options.get("private", False))
    for tracker in options.get("trackers", []):
        made.add_tracker(tracker)
    lt.set_piece_hashes(made, folder)
    return lt.bencode(made.generate())


torrent = open(options["torrent"], "rb").read() if "torrent" in options else make()
settings = {
    "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False, "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True, "unchoke_slots_limit": 50, "max_metadata_size": 64 << 20,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification,
}
settings.update(options.get("settings", {}))
session = lt.session(settings)
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = folder
params.flags = lt.torrent_flags.seed_mode
handle = session.add_torrent(params)
magnet = lt.make_magnet_uri(params.ti)
print(json.dumps({"port": session.listen_port(), "magnet": magnet, "torrent": torrent.hex()}), flush=True)
sys.stdin.read()
