#!/usr/bin/env bash
# The registry in Firebase: its rules, and members that find each other by it alone, against a database made of Google's own
# JavaScript SDK and an independent engine for its rules. Needs Node, npm, openssl, curl and Python.
set -euo pipefail
cd "$(dirname "$0")/../.."

export PEERAGE_BIN="${PEERAGE_BIN:-${CARGO_TARGET_DIR:-$PWD/target}/debug/peerage}"
bash tests/firebase/run.sh bash tests/firebase/rules.sh
exec python3 tests/suites/firebase.py
