#!/usr/bin/env bash
# Two and then three regions of real nodes, 40 to 150 ms apart: what is inside a region stays there, and a region that is
# cut off loses nothing. Needs Linux, iproute2 and Python. CUT_SECONDS says for how long regions are cut apart.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/suites/isolated.bash

target="${CARGO_TARGET_DIR:-$PWD/target}/debug"
export PEERAGE_BIN="${PEERAGE_BIN:-$target/peerage}"
export TOY_SERVER="${TOY_SERVER:-$target/toy-server}"
[ -x "$TOY_SERVER" ] || cargo build --locked --quiet -p peerage-tests --bin toy-server
exec "${isolated[@]}" python3 tests/suites/regions.py
