#!/usr/bin/env bash
# run.sh COMMAND...: a Firebase Realtime Database on a free loopback port, over TLS by a throw-away authority, with the rules
# that `peerage firebase rules` prints, for as long as COMMAND runs; it finds FIREBASE_URL, SSL_CERT_FILE and REQUEST_LOG.
# TOKENS is JSON: token -> "admin" or {uid, token: {claims}}. Needs Node 20, npm and openssl.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
parts="${CARGO_TARGET_DIR:-$here/../../target}/suites/firebase"
mkdir -p "$parts/firebase-shim"
cp "$here"/{package.json,stand-in.js} "$parts/"
cp "$here"/firebase-shim/* "$parts/firebase-shim/"
if [ ! -d "$parts/node_modules/targaryen" ]; then
    npm install --silent --ignore-scripts --no-audit --no-fund --install-links --prefix "$parts"
fi

folder=$(mktemp -d)
database=
trap '[ -z "$database" ] || kill "$database" 2>/dev/null || :; rm -rf "$folder"' EXIT
"$here/certificates.sh" "$folder/pki" >/dev/null
tokens='{"adm":"admin","tok-a":{"uid":"node-a","token":{"role":"mesh"}},"tok-b":{"uid":"node-b","token":{"role":"mesh"}},"tok-norole":{"uid":"x","token":{}}}'
export REQUEST_LOG="$folder/requests"
TOKENS="${TOKENS:-$tokens}" RULES="$here/../../node/src/discovery/firebase/database.rules.json" PORT=0 \
    CERT="$folder/pki/srv.pem" KEY="$folder/pki/srv.key" KEEPALIVE_MS=2000 \
    node "$parts/stand-in.js" >"$folder/out" &
database=$!
for _ in $(seq 200); do
    grep -q LISTENING "$folder/out" && break
    sleep 0.05
done
FIREBASE_URL=$(sed -n 's/.*\(https:[^ ]*\).*/\1/p' "$folder/out")
export FIREBASE_URL SSL_CERT_FILE="$folder/pki/ca.pem" NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1
unset SSL_CERT_DIR
"$@"
