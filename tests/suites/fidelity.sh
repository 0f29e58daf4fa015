#!/usr/bin/env bash
# Odd messages, byte by byte: unknown members, huge numbers, pretty-printed answers, 10,000 tools, 8 MiB results, through
# every door of a node and from a peer. Needs Python with its registry; installs below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
parts="$target/suites/fidelity"
mkdir -p "$parts"
if ! "$parts/venv/bin/python" -c 'import websockets.sync.client' 2>/dev/null; then
    python3 -m venv "$parts/venv"
    "$parts/venv/bin/pip" install --quiet --disable-pip-version-check websockets==15.0.1
fi

export PEERAGE_BIN="${PEERAGE_BIN:-$target/debug/peerage}"
export PYTHONPATH="$PWD/tests/suites:$PWD/tests/fidelity"
exec "$parts/venv/bin/python" tests/fidelity/fidelity.py
