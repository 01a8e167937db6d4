#!/usr/bin/env bash
# Takes the libraries of the share page in, as eng/share-page/package-lock.json pins them: the files that it uses, byte
# for byte as they came from npm, with their licences. Run it after changing a version there, and commit the result.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=eng/packages.sh
source eng/packages.sh
mkdir -p artifacts
install_npm share-page
for library in ciphers hashes; do
    from=artifacts/share-page/node_modules/@noble/$library
    target=src/Virga.Agent/Pages/files/vendor/$library
    case $library in
        ciphers) files=(chacha _arx _poly1305 utils) ;;
        hashes) files=(sha2 _md _u64 utils) ;;
    esac
    rm -rf "$target"
    mkdir -p "$target"
    for file in "${files[@]}"; do cp "$from/$file.js" "$target/"; done
    cp "$from/LICENSE" "$target/LICENSE.txt"
done
