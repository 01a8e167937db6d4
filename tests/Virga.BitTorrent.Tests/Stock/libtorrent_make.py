"""Prints the SHA-256 of the info dict of the hybrid torrent that libtorrent makes of PATH with pieces of BYTES."""
import hashlib
import os
import sys

import libtorrent as lt

files = lt.file_storage()
lt.add_files(files, sys.argv[1])
made = lt.create_torrent(files, piece_size=int(sys.argv[2]))
lt.set_piece_hashes(made, os.path.dirname(sys.argv[1]))
print(hashlib.sha256(lt.bencode(made.generate()[b"info"])).hexdigest())
