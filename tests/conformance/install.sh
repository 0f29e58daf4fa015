#!/usr/bin/env bash
# Puts the judges into the folder $1: the official conformance suite with a Node new enough for it, and the reference
# server and client, which are part of the source package of the Python SDK. Needs npm, Python and their registries.
set -euo pipefail

kit=$1
mkdir -p "$kit"
cd "$kit"

if [ ! -x node_modules/.bin/node ] || [ ! -d node_modules/@modelcontextprotocol/conformance ]; then
    npm install --silent --no-audit --no-fund --prefix . node@24 @modelcontextprotocol/conformance@0.2.0-alpha.12
fi
if ! venv/bin/python -c 'import click, mcp, uvicorn' 2>/dev/null; then
    python3 -m venv venv
    venv/bin/pip install --quiet --disable-pip-version-check mcp==2.3.0 click uvicorn
fi
if [ ! -f reference_client.py ]; then
    rm -rf source && mkdir source
    venv/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary mcp mcp==2.3.0 -d source
    tar -xzf source/mcp-2.3.0.tar.gz -C source --strip-components 1
    cp -r source/examples/servers/everything-server/mcp_everything_server .
    cp source/.github/actions/conformance/client.py reference_client.py
    rm -rf source
fi
