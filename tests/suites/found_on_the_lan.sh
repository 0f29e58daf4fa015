#!/usr/bin/env bash
# Two members on one network, started without any address that is still true: they find each other by mDNS in a second.
# Needs Linux, iproute2 and Python. The network is a bridge inside a namespace of its own: nothing leaves it, and it is
# gone with the process.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v ip >/dev/null && [ -n "${CI:-}" ] && command -v apt-get >/dev/null; then
    superuser=$([ "$(id -u)" = 0 ] || echo sudo)
    $superuser apt-get update -qq && $superuser apt-get install -qq -y iproute2
fi

isolated=(unshare --user --map-root-user --net --mount)
if ! "${isolated[@]}" bash -c 'mount -t tmpfs tmpfs /run && ip link add probe type bridge && ip netns add probe' 2>/dev/null; then
    echo "SKIPPED: no network namespaces can be made here, so DISCOVERY ON THE LAN WAS NOT TRIED" >&2
    exit 0
fi

export PEERAGE_BIN="${PEERAGE_BIN:-${CARGO_TARGET_DIR:-$PWD/target}/debug/peerage}"
exec "${isolated[@]}" python3 tests/suites/found_on_the_lan.py
