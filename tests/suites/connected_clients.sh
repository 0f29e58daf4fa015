#!/usr/bin/env bash
# The configurations that `peerage connect` writes, read by the clients themselves: Claude Code, Codex and Gemini CLI.
# Needs Node and Python with the npm registry; installs below target/. No client is signed in anywhere.
set -euo pipefail
cd "$(dirname "$0")/../.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
parts="$target/suites/connected_clients"
mkdir -p "$parts"

if [ ! -x "$parts/node_modules/.bin/claude" ]; then
    npm install --silent --no-audit --no-fund --prefix "$parts" \
        @anthropic-ai/claude-code@2.1.197 @openai/codex@0.169.0 @google/gemini-cli@0.61.0
fi

export PEERAGE_BIN="${PEERAGE_BIN:-$target/debug/peerage}"
export CLIENTS="$parts/node_modules/.bin"
exec python3 tests/suites/connected_clients.py
