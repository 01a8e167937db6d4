"""A tracker that knows one peer of every swarm: TRACKER (host:port) PEER (host:port). Prints a line when it listens;
ends when its input is closed."""
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

host, port = sys.argv[1].rsplit(":", 1)
peer_host, peer_port = sys.argv[2].rsplit(":", 1)
peer = socket.inet_aton(peer_host) + int(peer_port).to_bytes(2, "big")


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"d8:completei1e10:incompletei0e8:intervali60e5:peers6:" + peer + b"e"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((host, int(port)), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("up", flush=True)
sys.stdin.read()
os._exit(0)
