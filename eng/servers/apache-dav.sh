#!/usr/bin/env bash
# A real WebDAV server on loopback for tests: Apache mod_dav_fs over TLS with a self-signed certificate.
#   apache-dav.sh start DIR [PORT]  starts; prints URLs, user, password and the certificate's SHA-256 as KEY=VALUE lines
#   apache-dav.sh stop DIR          stops it, also after a start that failed half-way; the files stay in DIR/files
#   apache-dav.sh run DIR           start, then a line READY; when standard input ends: stop and remove DIR
# Below DAV_URL: /files (read and write), /readonly (the same files), /full (a tmpfs of 4 MiB, where the machine
# allows one).
# Needs Debian's apache2 apache2-utils openssl iproute2. Run as root: Apache itself then works as www-data.
set -euo pipefail
verb=${1:?start, stop or run} D=$(realpath -m "${2:?a folder}") PORT=${3:-}
conf=$D/httpd.conf user=virga password='virga test: päss/wörd%'

fail() { echo "apache-dav: $*" >&2; exit 1; }

# Every process that has our own httpd.conf among its arguments is ours.
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
    if ((i == 50)); then kill -9 "${pids[@]}" 2>/dev/null || true; fi
    sleep 0.1
  done
  if mountpoint -q "$D/full" 2>/dev/null; then umount -l "$D/full"; fi
}

free_port() {
  local port
  while :; do
    port=$((15000 + (RANDOM * 32768 + RANDOM) % 17000))
    [[ -z $(ss -Hltn "sport = :$port") ]] && { echo "$port"; return; }
  done
}

write_conf() {
  local modules=/usr/lib/apache2/modules
  cat > "$conf" <<C
ServerRoot $D
ServerName 127.0.0.1
PidFile $D/run/httpd.pid
DefaultRuntimeDir $D/run
Listen 127.0.0.1:$PORT
User www-data
Group www-data
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authn_core_module $modules/mod_authn_core.so
LoadModule authn_file_module $modules/mod_authn_file.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule authz_user_module $modules/mod_authz_user.so
LoadModule auth_basic_module $modules/mod_auth_basic.so
LoadModule alias_module $modules/mod_alias.so
LoadModule socache_shmcb_module $modules/mod_socache_shmcb.so
LoadModule ssl_module $modules/mod_ssl.so
LoadModule dav_module $modules/mod_dav.so
LoadModule dav_fs_module $modules/mod_dav_fs.so
ErrorLog $D/log/error.log
LogLevel warn
LogFormat "%m %U %>s" short
CustomLog $D/log/access.log short
ServerLimit 2
StartServers 1
ThreadsPerChild 32
MaxRequestWorkers 64
MinSpareThreads 16
MaxSpareThreads 64
KeepAlive On
MaxKeepAliveRequests 0
LimitRequestBody 0
LimitXMLRequestBody 1048576
LimitRequestLine 32768
LimitRequestFieldSize 32768
TraceEnable Off
SSLEngine On
SSLCertificateFile $D/cert.pem
SSLCertificateKeyFile $D/key.pem
SSLSessionCache shmcb:$D/run/ssl_cache(512000)
DavLockDB $D/lock/db
Alias /files $D/files
Alias /readonly $D/files
Alias /full $D/full
<Directory />
  AllowOverride None
  Options None
  AuthType Basic
  AuthName virga
  AuthBasicProvider file
  AuthUserFile $D/users
  Require valid-user
</Directory>
<Location />
  Dav On
  DavDepthInfinity On
  DavMinTimeout 0
</Location>
<Location /readonly>
  <LimitExcept GET HEAD OPTIONS PROPFIND>
    Require all denied
  </LimitExcept>
</Location>
C
}

start() {
  local tool
  for tool in apache2 htpasswd openssl ss curl; do
    command -v "$tool" >/dev/null || fail "$tool is missing: run ./test, it installs it"
  done
  [[ $(id -u) == 0 ]] || fail "must run as root"
  mkdir -p "$D"/{files,full,run,log,lock}
  [[ -z $(ours) ]] || fail "already running in $D: stop it first"
  chmod 755 "$D"; chown www-data:www-data "$D"/{files,full,lock}
  PORT=${PORT:-$(free_port)}
  if [[ ! -f $D/cert.pem ]]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=virga-test -addext subjectAltName=IP:127.0.0.1 \
      -keyout "$D/key.pem" -out "$D/cert.pem" 2>/dev/null
    htpasswd -bcB -C 4 "$D/users" "$user" "$password" 2>/dev/null
    htpasswd -bB -C 4 "$D/users" other "$password" 2>/dev/null
  fi
  su -s /bin/sh www-data -c "test -x '$D/files'" \
    || fail "www-data can't enter $D: choose a folder that everybody may enter"
  if ! mountpoint -q "$D/full"; then
    mount -t tmpfs -o size=4m,uid=www-data,gid=www-data,mode=755 virga-full "$D/full" 2>/dev/null || true
  fi
  write_conf
  apache2 -f "$conf" -k start >>"$D/log/setup.log" 2>&1 || fail "Apache did not start; see $D/log/setup.log"
  for _ in $(seq 100); do
    timeout 5 curl --noproxy '*' -sk "https://127.0.0.1:$PORT/" >/dev/null && break
    sleep 0.1
  done
  timeout 5 curl --noproxy '*' -sk "https://127.0.0.1:$PORT/" >/dev/null || fail "Apache did not come up; see $D/log"
  printf '%s\n' "DAV_URL=https://127.0.0.1:$PORT" "DAV_USER=$user" "DAV_PASSWORD=$password" \
    "DAV_CERT_SHA256=$(openssl x509 -in "$D/cert.pem" -outform der | sha256sum | cut -d' ' -f1)" "DAV_FILES=$D/files" \
    "DAV_FULL=$(mountpoint -q "$D/full" && echo yes || echo no)" "DAV_LOG=$D/log/access.log"
}

case $verb in
  start) trap 'code=$?; ((code == 0)) || stop; exit $code' EXIT; trap 'exit 130' INT TERM HUP; start ;;
  stop) stop ;;
  run)
    trap 'trap "" INT TERM HUP; stop; cd /; rm -rf "$D"' EXIT; trap 'exit 130' INT TERM HUP
    start; echo READY; cat >/dev/null ;;
  *) fail "start, stop or run, not $verb" ;;
esac
