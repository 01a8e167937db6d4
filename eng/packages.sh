# Sourced by ./test and ./bench: installs the Debian packages that their servers and tools come from, and those of npm.

# install_packages FILE: those of the list (one a line, # comments) that are not there yet; PACKAGE?PROGRAM only where
# there is no such program, from wherever it came. None of the services that they bring is started: tests start their
# own, on free ports of 127.0.0.1.
install_packages() {
    local list=$1 package missing=() as_root=()
    [[ -f $list ]] || return 0
    if ! command -v dpkg-query >/dev/null 2>&1; then
        echo "note: this system has no Debian packages; what the tests need is listed in $list" >&2
        return 0
    fi
    while read -r package; do
        if [[ $package == *\?* ]] && command -v "${package#*\?}" >/dev/null 2>&1; then continue; fi
        package=${package%\?*}
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done < <(sed 's/#.*//' "$list" | tr -s ' \t' '\n' | grep -v '^$')
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if [[ $(id -u) != 0 ]]; then
        as_root=(sudo -n)
        if ! sudo -n true 2>/dev/null; then
            echo "the tests need packages that are missing. Run: sudo apt-get install ${missing[*]}" >&2
            echo "or run those that need none: ./test quick" >&2
            exit 1
        fi
    fi
    echo "installing ${missing[*]} ..." >&2
    mkdir -p artifacts
    if ! "${as_root[@]}" bash -s -- "${missing[@]}" >artifacts/apt.log 2>&1 <<'SCRIPT'
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi
apt-get -q update
apt-get -q -y --no-install-recommends install "$@"
if [ -d /run/systemd/system ]; then
    dpkg -L "$@" | sed -n 's|^.*/systemd/system/\([^/@]*\.service\)$|\1|p' | sort -u |
        xargs -r systemctl disable || true
fi
SCRIPT
    then
        tail -n 15 artifacts/apt.log >&2
        echo "could not install what the tests need; all of the output is in artifacts/apt.log" >&2
        exit 1
    fi
}

# install_npm NAME: the packages of eng/NAME, exactly as its lock file says, into artifacts/NAME. None of their own
# scripts is run.
install_npm() {
    local name=$1 target=artifacts/$1
    command -v npm >/dev/null 2>&1 || return 0
    if cmp -s "eng/$name/package-lock.json" "$target/.installed"; then return 0; fi
    echo "installing $name ..." >&2
    mkdir -p "$target"
    cp "eng/$name"/package*.json "$target/"
    if ! npm ci --prefix "$target" --ignore-scripts --no-audit --no-fund >"artifacts/npm-$name.log" 2>&1; then
        tail -n 15 "artifacts/npm-$name.log" >&2
        echo "could not install $name; all of the output is in artifacts/npm-$name.log" >&2
        exit 1
    fi
    cp "eng/$name/package-lock.json" "$target/.installed"
}
