#!/usr/bin/env bash
# Five members on five networks with routers between them: found from one bootstrap address, and again after all but
# one moved. Needs Linux, iproute2 and Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/suites/isolated.bash

export PEERAGE_BIN="${PEERAGE_BIN:-${CARGO_TARGET_DIR:-$PWD/target}/debug/peerage}"
exec "${isolated[@]}" python3 tests/suites/found_anywhere.py
