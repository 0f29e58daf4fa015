#!/usr/bin/env bash
# The first thread with parts that others made: the npm filesystem server on one node, the PyPI MCP client at another.
# Needs Node and Python with their registries; what it installs stays below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
parts="$target/suites/real_clients"
mkdir -p "$parts"

server="$parts/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
if [ ! -f "$server" ]; then
    npm install --silent --no-audit --no-fund --prefix "$parts" @modelcontextprotocol/server-filesystem@2026.8.31
fi
if [ ! -x "$parts/venv/bin/python" ]; then
    python3 -m venv "$parts/venv"
fi
if ! "$parts/venv/bin/python" -c 'import mcp' 2>/dev/null; then
    "$parts/venv/bin/pip" install --quiet --disable-pip-version-check 'mcp==2.3.0'
fi

export PEERAGE_BIN="${PEERAGE_BIN:-$target/debug/peerage}"
export FILESYSTEM_SERVER="$server"
exec "$parts/venv/bin/python" tests/suites/real_clients.py
