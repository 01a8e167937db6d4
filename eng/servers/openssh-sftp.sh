#!/usr/bin/env bash
# A real SSH server on loopback for tests: OpenSSH with its file transfer subsystem.
#   openssh-sftp.sh start DIR [PORT]  starts; prints address, user, keys and folders as KEY=VALUE lines
#   openssh-sftp.sh stop DIR          stops it; the files stay in DIR/files
#   openssh-sftp.sh run DIR           start, then a line READY; when standard input ends: stop and remove DIR
# SFTP_FILES is a folder to read and write, SFTP_FULL a tmpfs of 4 MiB where the machine allows one. Whoever holds
# SFTP_KEY, or SFTP_LOCKED_KEY and SFTP_PASSPHRASE, may log in as SFTP_USER, which is the user that runs this.
# Needs Debian's openssh-server openssh-client iproute2.
set -euo pipefail
verb=${1:?start, stop or run} D=$(realpath -m "${2:?a folder}") PORT=${3:-}
passphrase='virga test: päss phrase'

fail() { echo "openssh-sftp: $*" >&2; exit 1; }

stop() {
  if [[ -f $D/sshd.pid ]]; then
    # What still transfers files hangs on the sessions that it began.
    pkill -P "$(cat "$D/sshd.pid")" 2>/dev/null || true
    kill "$(cat "$D/sshd.pid")" 2>/dev/null || true
    for _ in $(seq 100); do [[ -f $D/sshd.pid ]] || break; sleep 0.05; done
  fi
  if mountpoint -q "$D/full" 2>/dev/null; then umount -l "$D/full"; fi
}

free_port() {
  local port
  while :; do
    port=$((15000 + (RANDOM * 32768 + RANDOM) % 17000))
    [[ -z $(ss -Hltn "sport = :$port") ]] && { echo "$port"; return; }
  done
}

start() {
  local sshd=/usr/sbin/sshd
  [[ -x $sshd ]] || fail "sshd is missing: run ./test, it installs it"
  for tool in ssh ssh-keygen ss; do
    command -v "$tool" >/dev/null || fail "$tool is missing: run ./test, it installs it"
  done
  mkdir -p "$D"/{files,full}
  # sshd wants it where it runs as root.
  [[ $(id -u) != 0 ]] || mkdir -p /run/sshd
  PORT=${PORT:-$(free_port)}
  [[ -f $D/host ]] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$D/host"
  [[ -f $D/key ]] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$D/key"
  [[ -f $D/locked ]] || ssh-keygen -q -t ed25519 -N "$passphrase" -C '' -f "$D/locked"
  cat "$D/key.pub" "$D/locked.pub" > "$D/authorized_keys"
  chmod 600 "$D/authorized_keys"
  cat > "$D/config" <<C
ListenAddress 127.0.0.1:$PORT
HostKey $D/host
PidFile $D/sshd.pid
AuthorizedKeysFile $D/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
C
  if [[ $(id -u) == 0 ]] && ! mountpoint -q "$D/full"; then
    mount -t tmpfs -o size=4m,mode=755 virga-full "$D/full" 2>/dev/null || true
  fi
  "$sshd" -f "$D/config" -E "$D/log" || fail "sshd did not start; see $D/log"
  for _ in $(seq 100); do [[ -f $D/sshd.pid ]] && break; sleep 0.05; done
  [[ -f $D/sshd.pid ]] || fail "sshd did not come up; see $D/log"
  printf '%s\n' "SFTP_ADDRESS=sftp://$(id -un)@127.0.0.1:$PORT" "SFTP_PORT=$PORT" "SFTP_USER=$(id -un)" \
    "SFTP_KEY=$D/key" "SFTP_LOCKED_KEY=$D/locked" "SFTP_PASSPHRASE=$passphrase" \
    "SFTP_HOST_KEY=$(cut -d' ' -f1,2 "$D/host.pub")" "SFTP_FILES=$D/files" \
    "SFTP_FULL=$(mountpoint -q "$D/full" && echo "$D/full" || echo no)" "SFTP_PID=$(cat "$D/sshd.pid")"
}

case $verb in
  start) trap 'code=$?; ((code == 0)) || stop; exit $code' EXIT; trap 'exit 130' INT TERM HUP; start ;;
  stop) stop ;;
  run)
    trap 'trap "" INT TERM HUP; stop; cd /; rm -rf "$D"' EXIT; trap 'exit 130' INT TERM HUP
    start; echo READY; cat >/dev/null ;;
  *) fail "start, stop or run, not $verb" ;;
esac
