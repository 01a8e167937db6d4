#!/usr/bin/python3
"""Peers' transfer figures: one file, or many small ones, from one process to another over loopback, on this machine.

usage: peers.py [--mib 1024] [--small 10000] [--rounds 3] [--dir /dev/shm/peers] [--json] [name ...]

For each peer: wall seconds of the transfer (start of the receiver to the file being complete), MiB/s,
CPU seconds of both sides together per GiB, and the largest resident set of either side.
Needs Debian's: rclone aria2 nginx-light openssh-server rsync
python3-libtorrent syncthing iperf3.  Only loopback is used; every process started here is ended here.
"""
import argparse, hashlib, json, os, shutil, signal, socket, statistics, subprocess, sys, time, urllib.request
from pathlib import Path

V2_ONLY, V1_ONLY = 32, 64  # libtorrent create_torrent flags, not all named in its Python binding
CLK = os.sysconf("SC_CLK_TCK")

class Proc:
    """A child whose CPU time and peak memory are read when it is stopped or has ended."""
    def __init__(self, argv, **kw):
        self.p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **kw)
        self.cpu = 0.0; self.rss = 0
    def kids(self, pid=None):
        pid = pid or self.p.pid
        out = [pid]
        for c in Path(f"/proc/{pid}/task").glob("*/children"):  # any thread may have forked
            try:
                for k in c.read_text().split(): out += self.kids(int(k))
            except OSError: pass
        return out
    def sample(self):
        cpu = 0.0
        for pid in self.kids():
            try:
                f = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                cpu += sum(int(x) for x in f[11:15]) / CLK
                for l in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if l.startswith("VmHWM"): self.rss = max(self.rss, int(l.split()[1]) // 1024)
            except OSError: pass
        self.cpu = max(self.cpu, cpu)
        return self.cpu
    def wait(self, timeout=120):
        """Wait; the last word on CPU comes from wait4, which also counts reaped children."""
        t0 = time.time()
        while True:
            self.sample()
            pid, st, ru = os.wait4(self.p.pid, os.WNOHANG)
            if pid:
                self.cpu = max(self.cpu, ru.ru_utime + ru.ru_stime); self.rss = max(self.rss, ru.ru_maxrss // 1024)
                self.p.returncode = os.waitstatus_to_exitcode(st); return self.p.returncode
            if time.time() - t0 > timeout: raise TimeoutError
            time.sleep(0.01)
    def stop(self):
        if self.p.returncode is None:
            self.sample()
            try: os.killpg(self.p.pid, signal.SIGTERM)
            except OSError: pass
            try: self.wait(10)
            except TimeoutError:
                os.killpg(self.p.pid, signal.SIGKILL); self.wait(10)

def port_open(port, timeout=20):
    t0 = time.time()
    while time.time() - t0 < timeout:
        with socket.socket() as s:
            s.settimeout(0.2)
            if s.connect_ex(("127.0.0.1", port)) == 0: return
        time.sleep(0.05)
    raise TimeoutError(f"port {port}")

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0)); return s.getsockname()[1]

def digest(path):
    with open(path, "rb") as f: return hashlib.file_digest(f, "sha256").hexdigest()

class Bench:
    def __init__(self, root, mib, small):
        self.root = Path(root); self.mib = mib; self.small = small
        shutil.rmtree(self.root, ignore_errors=True); (self.root / "src").mkdir(parents=True)
        self.file = self.root / "src" / "data.bin"
        with open(self.file, "wb") as f:
            for _ in range(mib): f.write(os.urandom(1 << 20))
        self.sha = digest(self.file)
    def fresh(self):
        d = self.root / "dst"; shutil.rmtree(d, ignore_errors=True); d.mkdir(); return d
    def check(self, path):
        assert digest(path) == self.sha, f"{path} differs"
    def figures(self, wall, *procs):
        cpu = sum(p.cpu for p in procs); return dict(wall=wall, mibs=self.mib / wall, cpu_gib=cpu / (self.mib / 1024), rss=max(p.rss for p in procs))

    def rclone(self, kind, extra=(), remote=None):
        d = self.fresh(); port = free_port(); conf = self.root / "rclone.conf"; conf.write_text("")
        srv = Proc(["rclone", "--config", str(conf), "serve", kind, str(self.root / "src"), "--addr", f"127.0.0.1:{port}", *extra])
        try:
            port_open(port); time.sleep(0.3); base = srv.sample(); t0 = time.time()
            cl = Proc(["rclone", "--config", str(conf), "copy", remote(port), str(d)]); rc = cl.wait(); wall = time.time() - t0
            assert rc == 0, f"rclone copy: {rc}"; srv.sample()
        finally: srv.stop()
        self.check(d / "data.bin"); return self.figures(wall, srv, cl)
    def rclone_http(self): return self.rclone("http", remote=lambda p: f":http,url='http://127.0.0.1:{p}':")
    def rclone_webdav(self): return self.rclone("webdav", remote=lambda p: f":webdav,url='http://127.0.0.1:{p}':")
    def rclone_sftp_small(self):
        """Many files of 4 KiB, with more transfers and checkers at once than rclone takes by default."""
        return self.rclone_small(["--transfers", "16", "--checkers", "16"])
    def rclone_small(self, flags):
        d = self.fresh(); port = free_port(); conf = self.root / "rclone.conf"; conf.write_text(""); src = self.root / "small"
        if not src.exists():
            src.mkdir()
            for i in range(self.small): (src / f"{i:05d}").write_bytes(os.urandom(4096))
        srv = Proc(["rclone", "--config", str(conf), "serve", "sftp", str(src), "--addr", f"127.0.0.1:{port}", "--no-auth"])
        try:
            port_open(port); time.sleep(0.3); t0 = time.time()
            pw = subprocess.check_output(["rclone", "obscure", "x"]).decode().strip()
            cl = Proc(["rclone", "--config", str(conf), "copy", *flags, f":sftp,host=127.0.0.1,port={port},user=x,pass={pw}:", str(d)]); rc = cl.wait(300); wall = time.time() - t0
            assert rc == 0, f"rclone copy: {rc}"; srv.sample()
        finally: srv.stop()
        assert len(list(d.iterdir())) == self.small
        return dict(wall=wall, mibs=self.small * 4 / 1024 / wall, cpu_gib=(srv.cpu + cl.cpu) / (self.small * 4 / 1024 / 1024), rss=max(srv.rss, cl.rss))
    def rclone_sftp(self): return self.rclone("sftp", extra=["--no-auth"], remote=lambda p: f":sftp,host=127.0.0.1,port={p},user=x,pass={subprocess.check_output(['rclone','obscure','x']).decode().strip()}:")

    def nginx(self):
        port = free_port(); c = self.root / "nginx.conf"
        c.write_text(f"worker_processes 1; daemon off; pid {self.root}/nginx.pid; error_log /dev/null; events {{}} http {{ access_log off; sendfile on; server {{ listen 127.0.0.1:{port}; root {self.root}/src; }} }}\nuser root;")
        return Proc(["nginx", "-c", str(c), "-p", str(self.root)]), port
    def aria2_http(self):
        d = self.fresh(); srv, port = self.nginx()
        try:
            port_open(port); t0 = time.time()
            cl = Proc(["aria2c", "-q", "-x4", "-s4", "--file-allocation=none", "-d", str(d), f"http://127.0.0.1:{port}/data.bin"]); rc = cl.wait(); wall = time.time() - t0
            assert rc == 0; srv.sample()
        finally: srv.stop()
        self.check(d / "data.bin"); return self.figures(wall, srv, cl)
    def scp(self):
        d = self.fresh(); port = free_port(); k = self.root / "ssh"; shutil.rmtree(k, ignore_errors=True); k.mkdir(); os.makedirs("/run/sshd", exist_ok=True)
        for n in ("host", "user"): subprocess.check_call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(k / n)])
        (k / "cfg").write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {k}/host\nAuthorizedKeysFile {k}/user.pub\nStrictModes no\nPermitRootLogin yes\nUsePAM no\nSubsystem sftp internal-sftp\nPidFile {k}/pid\n")
        srv = Proc(["/usr/sbin/sshd", "-D", "-f", str(k / "cfg")])
        try:
            port_open(port); t0 = time.time()
            # -c: what both sides pick on a CPU with AES instructions
            cl = Proc(["scp", "-q", "-P", str(port), "-c", "aes128-gcm@openssh.com", "-i", str(k / "user"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", f"root@127.0.0.1:{self.file}", str(d / "data.bin")])
            peak = 0
            rc = None
            while rc is None:
                peak = max(peak, srv.sample())
                try: rc = cl.wait(0.05)
                except TimeoutError: pass
            wall = time.time() - t0; assert rc == 0, rc
        finally: srv.stop()
        self.check(d / "data.bin"); return self.figures(wall, srv, cl)

    def torrent(self, v2=False, name="data"):
        import libtorrent as lt
        fs = lt.file_storage(); lt.add_files(fs, str(self.file))
        ct = lt.create_torrent(fs, 1 << 20, V2_ONLY if v2 else V1_ONLY)
        lt.set_piece_hashes(ct, str(self.file.parent)); t = self.root / f"{name}.torrent"; t.write_bytes(lt.bencode(ct.generate())); return t
    LT = r'''
import libtorrent as lt, sys, time
torrent, save, port, peer, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "seed"
s = lt.session({"listen_interfaces": f"127.0.0.1:{port}", "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False, "allow_multiple_connections_per_ip": True, "enable_outgoing_utp": False, "enable_incoming_utp": False, "max_out_request_queue": 2000, "aio_threads": 4, "hashing_threads": 2, "send_buffer_watermark": 8 << 20, "mixed_mode_algorithm": 0})
p = lt.add_torrent_params(); p.ti = lt.torrent_info(torrent); p.save_path = save
if seed: p.flags |= lt.torrent_flags.seed_mode
p.flags &= ~lt.torrent_flags.auto_managed; p.flags &= ~lt.torrent_flags.paused
h = s.add_torrent(p)
if not seed: h.connect_peer(("127.0.0.1", peer))
while True:
    st = h.status()
    if not seed and st.is_seeding: break
    time.sleep(0.02)
'''
    def libtorrent(self, v2=False):
        t = self.torrent(v2); d = self.fresh(); a, b = free_port(), free_port(); py = self.root / "lt.py"; py.write_text(self.LT)
        srv = Proc(["/usr/bin/python3", str(py), str(t), str(self.file.parent), str(a), "0", "seed"])
        try:
            port_open(a); time.sleep(0.5); t0 = time.time()
            cl = Proc(["/usr/bin/python3", str(py), str(t), str(d), str(b), str(a), "get"]); rc = cl.wait(); wall = time.time() - t0
            assert rc == 0, rc; srv.sample()
        finally: srv.stop()
        self.check(d / "data.bin"); return self.figures(wall, srv, cl)
    def libtorrent_v1(self): return self.libtorrent(False)
    def libtorrent_v2(self): return self.libtorrent(True)

    def syncthing(self):
        d = self.fresh(); procs = []; ids = {}
        homes = {n: self.root / f"st-{n}" for n in "ab"}; guis = {}; ports = {}
        for n, h in homes.items():
            shutil.rmtree(h, ignore_errors=True); subprocess.check_call(["syncthing", "generate", f"--home={h}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            ids[n] = subprocess.check_output(["syncthing", f"--home={h}", "--device-id"]).decode().strip(); guis[n] = free_port(); ports[n] = free_port()
        src = self.root / "st-src"; shutil.rmtree(src, ignore_errors=True); src.mkdir()
        for n, h in homes.items():
            folder = src if n == "a" else d
            devs = "".join(f'<device id="{ids[m]}" name="{m}" compression="never"><address>{"dynamic" if m == n else f"tcp://127.0.0.1:{ports[m]}"}</address></device>' for m in "ab")
            (h / "config.xml").write_text(f'''<configuration version="36"><folder id="f" path="{folder}" type="sendreceive" rescanIntervalS="3600" fsWatcherEnabled="false"><filesystemType>basic</filesystemType><device id="{ids["a"]}"/><device id="{ids["b"]}"/></folder>{devs}<gui enabled="true" tls="false"><address>127.0.0.1:{guis[n]}</address><apikey>k</apikey></gui><options><listenAddress>tcp://127.0.0.1:{ports[n]}</listenAddress><globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled><relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><urAccepted>-1</urAccepted><crashReportingEnabled>false</crashReportingEnabled><autoUpgradeIntervalH>0</autoUpgradeIntervalH><reconnectionIntervalS>1</reconnectionIntervalS></options></configuration>''')
        def api(n, path, method="GET"):
            r = urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{guis[n]}{path}", method=method, headers={"X-API-Key": "k"})); b = r.read(); return json.loads(b) if b else None
        try:
            for n, h in homes.items():
                procs.append(Proc(["syncthing", "serve", f"--home={h}", "--no-browser", "--no-restart"], env={**os.environ, "STNOUPGRADE": "1"}))
            for n in "ab": port_open(guis[n])
            t0 = time.time()
            while not any(c["connected"] for c in api("a", "/rest/system/connections")["connections"].values()):
                if time.time() - t0 > 60: raise TimeoutError("syncthing did not connect")
                time.sleep(0.2)
            os.link(self.file, src / "data.bin"); base = [p.sample() for p in procs]
            t0 = time.time(); api("a", "/rest/db/scan?folder=f", "POST"); scan = time.time() - t0
            while not ((d / "data.bin").exists() and (d / "data.bin").stat().st_size == self.file.stat().st_size):
                if time.time() - t0 > 180: raise TimeoutError("syncthing")
                time.sleep(0.02)
            wall = time.time() - t0
            for p, b0 in zip(procs, base): p.sample(); p.cpu -= b0
            self.check(d / "data.bin"); return self.figures(wall, *procs)
        finally:
            for p in procs: p.stop()

    def tcp_limit(self):
        port = free_port(); srv = Proc(["iperf3", "-s", "-1", "-p", str(port)])
        try:
            port_open_soft(port); t0 = time.time()
            cl = Proc(["iperf3", "-c", "127.0.0.1", "-p", str(port), "-n", f"{self.mib}M"]); cl.wait(); wall = time.time() - t0; srv.sample()
        finally: srv.stop()
        return self.figures(wall, srv, cl)

def port_open_soft(port): time.sleep(0.5)

PEERS = ["tcp_limit", "aria2_http", "rclone_http", "rclone_webdav", "rclone_sftp", "scp", "libtorrent_v1", "libtorrent_v2", "syncthing"]

if __name__ == "__main__":
    ap = argparse.ArgumentParser(); ap.add_argument("--mib", type=int, default=1024); ap.add_argument("--rounds", type=int, default=3); ap.add_argument("--dir", default="/dev/shm/peers"); ap.add_argument("--small", type=int, default=10000); ap.add_argument("--json", action="store_true"); ap.add_argument("names", nargs="*")
    a = ap.parse_args(); os.environ.pop("AWS_CA_BUNDLE", None); b = Bench(a.dir, a.mib, a.small)
    if a.json:
        try:
            for n in a.names:
                for _ in range(a.rounds): print(json.dumps({"peer": n, **getattr(b, n)()}), flush=True)
        finally: shutil.rmtree(a.dir, ignore_errors=True)
        sys.exit()
    print(f"{'peer':16} {'MiB/s':>8} {'min':>7} {'max':>7} {'CPU s/GiB':>10} {'peak MiB':>9}   ({a.mib} MiB, {a.rounds} rounds, medians)")
    for n in a.names or PEERS:
        rs = []
        try:
            for _ in range(a.rounds): rs.append(getattr(b, n)())
        except Exception as e:
            print(f"{n:16} failed: {type(e).__name__} {e}", flush=True); continue
        m = sorted(r["mibs"] for r in rs)
        print(f"{n:16} {statistics.median(m):8.0f} {m[0]:7.0f} {m[-1]:7.0f} {statistics.median(r['cpu_gib'] for r in rs):10.2f} {max(r['rss'] for r in rs):9d}", flush=True)
    shutil.rmtree(a.dir, ignore_errors=True)
