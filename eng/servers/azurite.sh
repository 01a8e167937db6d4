#!/usr/bin/env bash
# A real Azure Blob service on loopback for tests: Azurite, with two storage accounts, in path style over plain HTTP.
#   azurite.sh run DIR   starts; prints AZURE_ENDPOINT and AZURE_ACCOUNT, AZURE_KEY and the same with AZURE_OTHER_ as
#                        KEY=VALUE lines, then READY; when standard input ends: stops it and removes DIR
# ./test installs it (eng/azurite, pinned by its lock file) into artifacts/azurite. Needs Debian's nodejs.
set -euo pipefail
[[ ${1:-} == run ]] || { echo "usage: azurite.sh run DIR" >&2; exit 2; }
D=$(realpath -m "${2:?a folder}")
root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
program=$root/artifacts/azurite/node_modules/azurite/dist/src/blob/main.js
pid=

fail() { echo "azurite: $*" >&2; exit 1; }

stop() {
  if [[ -n $pid ]]; then
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  rm -rf "$D"
}

free_port() {
  local port
  while :; do
    port=$((15000 + (RANDOM * 32768 + RANDOM) % 17000))
    [[ -z $(ss -Hltn "sport = :$port") ]] && { echo "$port"; return; }
  done
}

command -v node >/dev/null || fail "node is not here; ./test installs it"
[[ -f $program ]] || fail "Azurite is not in artifacts/azurite; ./test installs it"
mkdir -p "$D"
trap stop EXIT
key=$(head -c 64 /dev/urandom | base64 -w 0)
other=$(head -c 64 /dev/urandom | base64 -w 0)
for _ in 1 2 3; do
  port=$(free_port)
  AZURITE_ACCOUNTS="virgaone:$key;virgatwo:$other" node "$program" --location "$D" --blobHost 127.0.0.1 \
    --blobPort "$port" --disableTelemetry --skipApiVersionCheck --silent >"$D/azurite.log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || break
    if [[ -n $(ss -Hltn "sport = :$port") ]]; then
      echo "AZURE_ENDPOINT=http://127.0.0.1:$port"
      echo "AZURE_ACCOUNT=virgaone"
      echo "AZURE_KEY=$key"
      echo "AZURE_OTHER_ACCOUNT=virgatwo"
      echo "AZURE_OTHER_KEY=$other"
      echo READY
      cat >/dev/null
      exit 0
    fi
    sleep 0.1
  done
done
tail -n 5 "$D/azurite.log" >&2
fail "it did not start"
