#!/usr/bin/env bash
# Two members on a network without multicast: apart until one of them asks every address of it.
# Needs Linux, iproute2 and Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/suites/isolated.bash

export PEERAGE_BIN="${PEERAGE_BIN:-${CARGO_TARGET_DIR:-$PWD/target}/debug/peerage}"
exec "${isolated[@]}" python3 tests/suites/found_by_scan.py
