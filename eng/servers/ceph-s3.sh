#!/usr/bin/env bash
# A real S3 server on loopback for tests: one Ceph monitor, one manager, one OSD, one RADOS gateway.
#   ceph-s3.sh start DIR [PORT]  sets up (the first time) and starts; prints endpoint and keys as KEY=VALUE lines
#   ceph-s3.sh stop DIR          stops whatever of it runs, also after a start that failed half-way
#   ceph-s3.sh run DIR           start, then a line READY; when standard input ends: stop and remove DIR
# Every port is free and random, so that several can run side by side. About 1.5 GB of memory and 15 to 30 s to start.
# Users: virga (all rights), other (sees only what a bucket policy gives it), full (1 MiB a bucket, then QuotaExceeded).
# Needs Debian's ceph-mon ceph-mgr ceph-osd ceph-common radosgw uuid-runtime iproute2. Run as root.
set -euo pipefail
verb=${1:?start, stop or run} D=$(realpath -m "${2:?a folder}") PORT=${3:-}
conf=$D/ceph.conf access=virgatestaccesskey secret=virgatestsecretkey0000000000000000000000

fail() { echo "ceph-s3: $*" >&2; exit 1; }

# Every process that has our own ceph.conf among its arguments is ours, whether or not it got as far as writing a
# pid file.
ours() {
  local p arg
  for p in /proc/[0-9]*; do
    [[ ${p#/proc/} != "$$" && -r $p/cmdline ]] || continue
    while IFS= read -r -d '' arg; do
      if [[ $arg == "$conf" ]]; then echo "${p#/proc/}"; break; fi
    done 2>/dev/null < "$p/cmdline" || true
  done
}

stop() {
  local pids i
  mapfile -t pids < <(ours)
  ((${#pids[@]})) && kill "${pids[@]}" 2>/dev/null || true
  for i in $(seq 100); do
    mapfile -t pids < <(ours)
    ((${#pids[@]} == 0)) && break
    if ((i == 80)); then kill -9 "${pids[@]}" 2>/dev/null || true; fi
    sleep 0.1
  done
  rm -f "$D"/run/*.pid "$D"/run/*.asok
}

# Below the range from which the kernel gives outgoing connections their ports, so that none of those can be in the way.
free_port() {
  local port
  while :; do
    port=$((15000 + (RANDOM * 32768 + RANDOM) % 17000))
    [[ -z $(ss -Hltn "sport = :$port") ]] && { echo "$port"; return; }
  done
}

wait_up() {
  for _ in $(seq 240); do
    timeout 5 curl --noproxy '*' -sf "http://127.0.0.1:$PORT" >/dev/null && return
    sleep 0.25
  done
  fail "the S3 gateway did not come up; see $D/log"
}

admin() { radosgw-admin -c "$conf" -n client.rgw --keyring rgw/keyring "$@" >/dev/null 2>>log/setup.log; }

write_conf() {
  local mon2 mon1
  mon2=$(free_port) mon1=$(free_port)
  echo "[v2:127.0.0.1:$mon2,v1:127.0.0.1:$mon1]" > mon.addr
  cat > "$conf" <<C
[global]
fsid = $fsid
mon host = $(cat mon.addr)
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
public addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
mon allow pool size one = true
osd crush chooseleaf type = 0
mon data = $D/mon.a
mgr data = $D/mgr.x
osd data = $D/osd.0
keyring = $D/keyring
run dir = $D/run
pid file = $D/run/\$name.pid
admin socket = $D/run/\$name.asok
log file = $D/log/\$name.log
mon data avail warn = 2
mon data avail crit = 1
[osd]
osd objectstore = bluestore
bluestore block create = true
bluestore block size = 17179869184
osd memory target = 1500000000
[mon]
mon max pg per osd = 1000
[client.rgw]
rgw data = $D/rgw
rgw dns name = localhost
rgw bucket quota ttl = 0
C
}

start() {
  local tool uuid key
  for tool in ceph-mon ceph-mgr ceph-osd ceph radosgw radosgw-admin uuidgen ss curl; do
    command -v "$tool" >/dev/null || fail "$tool is missing: run ./test, it installs it"
  done
  [[ $(id -u) == 0 ]] || fail "must run as root"
  mkdir -p "$D"/{mon.a,mgr.x,osd.0,rgw,run,log}; cd "$D"
  [[ -z $(ours) ]] || fail "already running in $D: stop it first"
  export CEPH_CONF=$conf
  PORT=${PORT:-$(free_port)}
  fsid=11111111-2222-3333-4444-555555555555
  if [[ ! -f done ]]; then
    write_conf
    ceph-authtool --create-keyring keyring --gen-key -n mon. --cap mon 'allow *' >/dev/null
    ceph-authtool keyring --gen-key -n client.admin \
      --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
    monmaptool --create --clobber --addv a "$(cat mon.addr)" --fsid "$fsid" monmap >/dev/null
    ceph-mon -c "$conf" -i a --mkfs --monmap monmap --keyring keyring
  fi
  ceph-mon -c "$conf" -i a 2>>log/setup.log || fail "the monitor did not start; see $D/log"
  if [[ ! -f done ]]; then
    timeout 60 ceph -c "$conf" auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' > mgr.x/keyring
  fi
  ceph-mgr -c "$conf" -i x --keyring mgr.x/keyring 2>>log/setup.log
  if [[ ! -f done ]]; then
    uuid=$(uuidgen); key=$(ceph-authtool --gen-print-key)
    echo "{\"cephx_secret\": \"$key\"}" | ceph -c "$conf" osd new "$uuid" 0 -i - >/dev/null
    ceph-authtool --create-keyring osd.0/keyring --name osd.0 --add-key "$key" >/dev/null
    ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid" --keyring osd.0/keyring 2>>log/setup.log
  fi
  ceph-osd -c "$conf" -i 0 --keyring osd.0/keyring >/dev/null 2>>log/setup.log
  if [[ ! -f done ]]; then
    ceph -c "$conf" osd crush add osd.0 1.0 root=default host=localhost >/dev/null 2>&1 || true
    ceph -c "$conf" auth get-or-create client.rgw mon 'allow rw' osd 'allow rwx' mgr 'allow rw' > rgw/keyring
  fi
  radosgw -c "$conf" -n client.rgw --keyring rgw/keyring \
    --rgw-frontends "beast endpoint=127.0.0.1:$PORT" 2>>log/setup.log
  wait_up
  if [[ ! -f done ]]; then
    admin user create --uid virga --display-name virga --access-key "$access" --secret-key "$secret"
    admin user create --uid other --display-name other --access-key "other$access" --secret-key "$secret"
    admin user create --uid full --display-name full --access-key "full$access" --secret-key "$secret"
    admin quota set --uid full --quota-scope bucket --max-size 1048576
    admin quota enable --uid full --quota-scope bucket
    touch done
  fi
  printf '%s\n' "S3_ENDPOINT=http://127.0.0.1:$PORT" "S3_ACCESS_KEY=$access" "S3_SECRET_KEY=$secret" \
    "S3_OTHER_ACCESS_KEY=other$access" "S3_OTHER_SECRET_KEY=$secret" \
    "S3_FULL_ACCESS_KEY=full$access" "S3_FULL_SECRET_KEY=$secret"
}

case $verb in
  start) trap 'code=$?; ((code == 0)) || stop; exit $code' EXIT; trap 'exit 130' INT TERM HUP; start ;;
  stop) stop ;;
  run)
    trap 'trap "" INT TERM HUP; stop; cd /; rm -rf "$D"' EXIT; trap 'exit 130' INT TERM HUP
    start; echo READY; cat >/dev/null ;;
  *) fail "start, stop or run, not $verb" ;;
esac
