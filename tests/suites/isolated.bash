# Sourced by suites that make networks of their own: sets `isolated`, the words before a command that is to run in them.
# Ends the suite, loudly and as passed, where namespaces cannot be made. Nothing leaves them, and they end with the command.

if ! command -v ip >/dev/null && [ -n "${CI:-}" ] && command -v apt-get >/dev/null; then
    superuser=$([ "$(id -u)" = 0 ] || echo sudo)
    $superuser apt-get update -qq && $superuser apt-get install -qq -y iproute2
fi

isolated=(unshare --user --map-root-user --net --mount)
if ! "${isolated[@]}" bash -c 'mount -t tmpfs tmpfs /run && ip link add probe type bridge && ip netns add probe' 2>/dev/null; then
    echo "SKIPPED, NOTHING WAS TRIED: no network namespaces can be made here (needs Linux, iproute2, user namespaces)" >&2
    exit 0
fi
