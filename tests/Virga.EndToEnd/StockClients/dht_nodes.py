"""A small DHT of libtorrent's nodes, each of its own address: ADDRESSES (comma), HASHES (comma). Prints a line when all
listen, then the hash of each swarm as soon as somebody has announced it."""
import sys
import time

import libtorrent as lt

addresses, wanted = sys.argv[1].split(","), set(filter(None, sys.argv[2].split(",")))
sessions = [lt.session({
    "listen_interfaces": f"{address}:6881", "enable_dht": True, "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False, "dht_bootstrap_nodes": "",
    # So few nodes are asked more often than the many of the real one.
    "dht_block_ratelimit": 1_000_000, "dht_upload_rate_limit": 10_000_000,
    "alert_mask": lt.alert.category_t.dht_notification | lt.alert.category_t.dht_operation_notification,
}) for address in addresses]
for session in sessions:
    while not session.is_listening():
        time.sleep(0.02)
    for address in addresses:
        session.add_dht_node((address, 6881))
print("up", flush=True)
round = 0
while True:
    asked = sessions[round % len(sessions)]
    round += 1
    for swarm in wanted:
        asked.dht_get_peers(lt.sha1_hash(bytes.fromhex(swarm)))
    time.sleep(1)
    for session in sessions:
        for alert in session.pop_alerts():
            if isinstance(alert, lt.dht_get_peers_reply_alert) and alert.num_peers() > 0:
                swarm = str(alert.info_hash)
                if swarm in wanted:
                    wanted.discard(swarm)
                    print(swarm, flush=True)
