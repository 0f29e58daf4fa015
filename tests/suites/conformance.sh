#!/usr/bin/env bash
# The official MCP conformance suite against real nodes, with the reference server over HTTP, as a child and on a peer.
# Arguments narrow it: tests/suites/conformance.sh both,legacy,modern http,stdio,peer. Needs npm, Python and their
# registries; installs below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
export KIT="$target/suites/conformance/kit"
export RESULTS="$target/suites/conformance/results"
bash tests/conformance/install.sh "$KIT"
rm -rf "$RESULTS"

export PEERAGE_BIN="${PEERAGE_BIN:-$target/debug/peerage}"
export PYTHONPATH="$PWD/tests/suites:$PWD/tests/conformance"
judged=0
"$KIT/venv/bin/python" tests/conformance/servers.py "$@" || judged=1
"$KIT/venv/bin/python" tests/conformance/clients.py || judged=1
exit $judged
