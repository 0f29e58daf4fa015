#!/usr/bin/env bash
# Two members on one network, started without any address that is still true: they find each other by mDNS in a second.
# Needs Linux, iproute2 and Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/suites/isolated.bash

export PEERAGE_BIN="${PEERAGE_BIN:-${CARGO_TARGET_DIR:-$PWD/target}/debug/peerage}"
exec "${isolated[@]}" python3 tests/suites/found_on_the_lan.py
