#!/usr/bin/env bash
# The MCP Inspector's command line through `peerage mcp`: it lists and calls a tool of another node, started the way that
# the written configuration of a client says. Needs Node and Python with the npm registry; installs below target/.
set -euo pipefail
cd "$(dirname "$0")/../.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
parts="$target/suites/inspector"
mkdir -p "$parts"

server="$parts/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
inspector="$parts/node_modules/.bin/mcp-inspector"
if [ ! -f "$server" ] || [ ! -x "$inspector" ]; then
    npm install --silent --no-audit --no-fund --prefix "$parts" \
        @modelcontextprotocol/server-filesystem@2026.8.31 @modelcontextprotocol/inspector@2.12.0
fi

export PEERAGE_BIN="${PEERAGE_BIN:-$target/debug/peerage}"
export FILESYSTEM_SERVER="$server"
export INSPECTOR="$inspector"
exec python3 tests/suites/inspector.py
