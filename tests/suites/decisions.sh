#!/usr/bin/env bash
# Nine real nodes vote while two are down, one signs two votes and the mesh is cut in two; then two agents on two nodes
# race for tasks while nodes are killed, cut apart and leases run out. Needs Linux, iproute2 and Python.
# CUT_SECONDS says how long the voters are cut apart, RACES how often agents race.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/suites/isolated.bash

target="${CARGO_TARGET_DIR:-$PWD/target}/debug"
export PEERAGE_BIN="${PEERAGE_BIN:-$target/peerage}"
export TOY_SERVER="${TOY_SERVER:-}"
[ -x "$PEERAGE_BIN" ] || cargo build --locked --quiet -p peerage
"${isolated[@]}" python3 tests/suites/votes_cut_apart.py
exec "${isolated[@]}" python3 tests/suites/races.py
