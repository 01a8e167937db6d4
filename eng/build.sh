# Sourced by the launchers ./virga, ./test and ./bench, which have set ROOT. Builds the Release configuration when
# anything that goes into it is newer than the last build.

need_sdk() {
    # Asked inside the repository, dotnet obeys global.json: it fails when only other versions are there.
    if command -v dotnet >/dev/null 2>&1 && (cd "$ROOT" && dotnet --version) >/dev/null 2>&1; then return 0; fi
    local have; have=$(dotnet --list-sdks 2>/dev/null | tail -n 1 | cut -d' ' -f1 || true)
    cat >&2 <<TEXT
Virga is built with the .NET SDK 10, which is not here (found: ${have:-none}). Install it with one of
  Debian, Ubuntu   sudo apt-get install dotnet-sdk-10.0
  Fedora           sudo dnf install dotnet-sdk-10.0
  macOS            brew install dotnet
  Windows          winget install Microsoft.DotNet.SDK.10
or from https://dotnet.microsoft.com/download/dotnet/10.0 and run this again.
TEXT
    exit 127
}

# is_built STAMP FOLDER...: nothing that a build reads is newer than the stamp (a removed file makes its folder newer).
is_built() {
    local stamp=$1; shift
    [[ -e $stamp ]] || return 1
    [[ -z $(find "$@" "$ROOT"/{Directory.*,*.slnx,global.json,NuGet.config,.editorconfig,eng} \
        -newer "$stamp" -print -quit 2>/dev/null) ]]
}

# lock NAME: waits until no other launcher builds here. Held until unlock or the end of this process.
lock() {
    mkdir -p "$ROOT/artifacts"
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$ROOT/artifacts/.lock"
        flock 9
    else
        until mkdir "$ROOT/artifacts/.lock.d" 2>/dev/null; do sleep 0.2; done
        trap 'rmdir "$ROOT/artifacts/.lock.d" 2>/dev/null' EXIT
    fi
}

unlock() {
    exec 9>&-
    rmdir "$ROOT/artifacts/.lock.d" 2>/dev/null || true
    trap - EXIT
}

# build_release STAMP TARGET FOLDER...: builds TARGET (project or solution) unless it is built; quiet unless it fails.
build_release() {
    local stamp=$1 target=$2 log; shift 2
    if is_built "$stamp" "$@"; then return 0; fi
    need_sdk
    lock
    if ! is_built "$stamp" "$@"; then
        log=$ROOT/artifacts/build.log
        echo "building $(basename "$target") (Release) ..." >&2
        : >"$stamp.new"
        # Compiler servers outlive this: they must not keep the lock, so its descriptor is closed for them.
        if ! DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 dotnet build "$target" -c Release -v q -clp:NoSummary \
            -nodeReuse:false >"$log" 2>&1 9>&- </dev/null; then
            rm -f "$stamp.new"
            grep -E 'error' "$log" | sort -u | head -n 40 >&2 || true
            echo "the build failed; all of its output is in ${log#"$PWD"/}" >&2
            exit 1
        fi
        mv "$stamp.new" "$stamp"
    fi
    unlock
}

# The executable finds the runtime by DOTNET_ROOT where the SDK isn't at the usual place.
find_runtime() {
    [[ -n ${DOTNET_ROOT:-} ]] && return 0
    local dotnet; dotnet=$(command -v dotnet) || need_sdk
    dotnet=$(readlink -f "$dotnet" 2>/dev/null || echo "$dotnet")
    [[ -d ${dotnet%/*}/shared ]] && export DOTNET_ROOT=${dotnet%/*}
    return 0
}
