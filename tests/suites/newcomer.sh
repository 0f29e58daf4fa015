#!/usr/bin/env bash
# The README's first minute, word for word, on two fresh machines: its commands are counted and timed.
# Needs Linux, iproute2, Python and Node with the npm registry; installs below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/suites/isolated.bash

target="${CARGO_TARGET_DIR:-$PWD/target}"
parts="$target/suites/newcomer"
mkdir -p "$parts/bin"

# The machines of the suite have no way to the registry: what the README runs with npx comes from this cache.
export npm_config_cache="$parts/npm"
npx --yes --package @modelcontextprotocol/server-filesystem -- true
export npm_config_offline=true

peerage="${PEERAGE_BIN:-$target/debug/peerage}"
ln -sf "$(realpath "$peerage")" "$parts/bin/peerage"
export PATH="$parts/bin:$PATH"
exec "${isolated[@]}" python3 tests/suites/newcomer.py
