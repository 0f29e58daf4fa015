#!/usr/bin/env bash
# Clients that others made walk through tools, resources, prompts, sampling and elicitation of the reference server, which
# is a child of the node and then on a peer: the Python SDK 1.30 over WebSocket, HTTP+SSE and streamable HTTP, the SDK 2.3
# in both eras, the MCP Inspector. Needs npm, Python and their registries; installs below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
parts="$target/suites/client_walks"
mkdir -p "$parts"
export KIT="$target/suites/conformance/kit"
bash tests/conformance/install.sh "$KIT"

if ! "$parts/venv/bin/python" -c 'import mcp.client.websocket' 2>/dev/null; then
    python3 -m venv "$parts/venv"
    "$parts/venv/bin/pip" install --quiet --disable-pip-version-check 'mcp[ws]==1.30.0'
fi
if [ ! -x "$target/suites/inspector/node_modules/.bin/mcp-inspector" ]; then
    npm install --silent --no-audit --no-fund --prefix "$target/suites/inspector" @modelcontextprotocol/inspector@2.12.0
fi

export PEERAGE_BIN="${PEERAGE_BIN:-$target/debug/peerage}"
export SDK_1_PYTHON="$parts/venv/bin/python"
export INSPECTOR="$target/suites/inspector/node_modules/.bin/mcp-inspector"
export PATH="$KIT/node_modules/.bin:$PATH"
export PYTHONPATH="$PWD/tests/suites:$PWD/tests/conformance:$PWD/tests/walks"
exec "$KIT/venv/bin/python" tests/walks/walks.py "$@"
