#!/usr/bin/env bash
# Two members on one network with somebody who answers mDNS in their names: replayed, altered and made-up announcements without
# number change no call, no book and no memory. Needs Linux, iproute2 and Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/suites/isolated.bash

export PEERAGE_BIN="${PEERAGE_BIN:-${CARGO_TARGET_DIR:-$PWD/target}/debug/peerage}"
exec "${isolated[@]}" python3 tests/suites/poisoned_lan.py
