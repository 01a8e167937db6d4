"""Downloads a torrent with libtorrent: SOURCE (magnet or .torrent), FOLDER, then any number of peers host:port.
Prints a line as JSON when it has finished; ends when its input is closed, so that it dies with its caller."""
import json
import os
import select
import sys
import threading
import time

import libtorrent as lt

source, folder, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
settings = {
    "listen_interfaces": options.get("listen", "127.0.0.1:0"),
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True, "max_metadata_size": 64 << 20,
    "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
    | lt.alert.category_t.peer_notification | lt.alert.category_t.connect_notification
    | lt.alert.category_t.storage_notification,
    "in_enc_policy": options.get("encryption", 2), "out_enc_policy": options.get("encryption", 2),
    "allowed_enc_level": options.get("level", 3),
}
settings.update(options.get("settings", {}))
session = lt.session(settings)
woken, waker = os.pipe()
os.set_blocking(woken, False)
os.set_blocking(waker, False)
session.set_alert_fd(waker)


def wait_for_alerts():
    """As session.wait_for_alert does, whose Python binding looks at an alert that the session may be moving."""
    if select.select([woken], [], [], 0.05)[0]:
        os.read(woken, 4096)


if source.startswith("magnet:"):
    params = lt.parse_magnet_uri(source)
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(source)
params.save_path = folder
handle = session.add_torrent(params)
for peer in options.get("peers", []):
    host, port = peer.rsplit(":", 1)
    handle.connect_peer((host, int(port)))
closed = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
started, worked = time.monotonic(), time.process_time()
while not closed.is_set():
    wait_for_alerts()
    for alert in session.pop_alerts():
        print(f"{type(alert).__name__}: {alert.message()}", file=sys.stderr, flush=True)
    status = handle.status()
    if status.errc.value() != 0:
        print(json.dumps({"error": status.errc.message()}), flush=True)
        break
    if status.is_seeding:
        result = {"seconds": time.monotonic() - started, "payload": status.total_payload_download,
                  "failed": status.total_failed_bytes, "cpu": time.process_time() - worked}
        # What it has hashed may not stand in the files yet.
        handle.flush_cache()
        while not closed.is_set():
            wait_for_alerts()
            if any(isinstance(alert, lt.cache_flushed_alert) for alert in session.pop_alerts()):
                break
        print(json.dumps(result), flush=True)
        break
