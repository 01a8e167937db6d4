"""Makes torrents with libtorrent of what a file LIST says (JSON): of each path, kind (v1, padded: v1 with pad files,
hybrid, v2), tracker, node (host:port of the DHT; null), seed (URL of a web seed; null), pads (whether pad files are written, too), and the file to
write. Prints a JSON list of magnet links and info-hashes (hex)."""
import json
import os
import sys

import libtorrent as lt

KINDS = {"v1": lt.create_torrent.v1_only, "padded": lt.create_torrent.v1_only | lt.create_torrent.canonical_files,
         "v2": lt.create_torrent.v2_only, "hybrid": 0}
made = []
for wanted in json.load(open(sys.argv[1])):
    files = lt.file_storage()
    lt.add_files(files, wanted["path"])
    torrent = lt.create_torrent(files, 64 << 10, KINDS[wanted["kind"]])
    if wanted["tracker"]:
        torrent.add_tracker(wanted["tracker"])
    if wanted.get("seed"):
        torrent.add_url_seed(wanted["seed"])
    if wanted["node"]:
        host, port = wanted["node"].rsplit(":", 1)
        torrent.add_node(host, int(port))
    lt.set_piece_hashes(torrent, os.path.dirname(wanted["path"]))
    for i in range(files.num_files() if wanted["pads"] else 0):
        if files.file_flags(i) & lt.file_storage.flag_pad_file:
            at = os.path.join(os.path.dirname(wanted["path"]), files.file_path(i))
            os.makedirs(os.path.dirname(at), exist_ok=True)
            with open(at, "wb") as file:
                file.truncate(files.file_size(i))
    content = lt.bencode(torrent.generate())
    with open(wanted["file"], "wb") as file:
        file.write(content)
    info = lt.torrent_info(content)
    hashes = info.info_hashes()
    known = ((hashes.v1, hashes.has_v1()), (hashes.v2, hashes.has_v2()))
    made.append({"magnet": lt.make_magnet_uri(info),
                 "hashes": [str(h)[:40] for h, has in known if has]})
json.dump(made, sys.stdout)
