#!/usr/bin/env bash
# with-names.sh SOCKET "HOST HOST ..." PROGRAM ARGUMENT...
# Runs a program in a network of its own where the hosts lead to a TLS server that listens on the file SOCKET, and where
# nothing else can be reached. Everything ends with the program, and with whoever started this script.
set -euo pipefail

if [[ ${VIRGA_NAMES_INSIDE:-} != 1 ]]; then
  for tool in unshare socat ip; do
    command -v "$tool" > /dev/null || { echo "$tool is missing: run ./test once, which installs it" >&2; exit 127; }
  done
  user=(); (( EUID == 0 )) || user=(--user --map-root-user)
  VIRGA_NAMES_INSIDE=1 exec unshare "${user[@]}" --mount --net --pid --fork --kill-child "$0" "$@"
fi

socket=$1 hosts=$2; shift 2
unset VIRGA_NAMES_INSIDE
ip link set lo up
names=$(mktemp)
{ echo "127.0.0.1 localhost"; for host in $hosts; do echo "127.0.0.1 $host"; done; } > "$names"
mount --bind "$names" /etc/hosts
rm -f "$names"
socat TCP-LISTEN:443,bind=127.0.0.1,fork,reuseaddr,backlog=128,nodelay UNIX-CONNECT:"$socket" &
for _ in {1..200}; do
  (exec 3<> /dev/tcp/127.0.0.1/443) 2> /dev/null && break
  sleep 0.02
done
# Not exec: this shell is the first process of the namespace, and all others end with it.
"$@" && code=0 || code=$?
exit "$code"
