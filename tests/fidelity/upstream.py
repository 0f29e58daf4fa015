"""The odd server: odd.py stands behind every answer. upstream.py stdio|http legacy|modern odd|many

Over HTTP it prints its URL when it listens, and its answers are pretty-printed.
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import odd

ERA, KIND = sys.argv[2], sys.argv[3]
MODERN = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
LEGACY = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "odd", "version": "1"}}


def result_of(method: str, raw: bytes, params: dict) -> bytes | None:
    """The raw result; `None` for a method that this server does not have."""
    if method == "initialize" and ERA == "legacy":
        return json.dumps(LEGACY).encode()
    if method == "server/discover" and ERA == "modern":
        return json.dumps(MODERN).encode()
    if method == "tools/list":
        return page(int(params.get("cursor", 0)))
    if method == "tools/call":
        return called(params["name"], raw)
    return None


def page(start: int) -> bytes:
    names = odd.ODD_TOOLS if KIND == "odd" else [f"tool_{number}" for number in range(odd.MANY_TOOLS)]
    listed = b",".join(odd.definition(name) for name in names[start : start + odd.PAGE_TOOLS])
    end = start + odd.PAGE_TOOLS
    cursor = b',"nextCursor":"%d"' % end if end < len(names) else b""
    era = b',"resultType":"complete","ttlMs":0,"cacheScope":"private"' if ERA == "modern" else b""
    return b'{"tools":[' + listed + b"]" + cursor + era + b"}"


def called(name: str, raw: bytes) -> bytes:
    if name == "large":
        return odd.large(ERA)
    if name == "odd":
        return odd.result(ERA)
    # What it heard, as it heard it.
    heard = json.dumps(raw.decode()).encode()
    era = odd.MODERN_MEMBER + b"," if ERA == "modern" else b""
    return b"{" + era + b'"content":[{"type":"text","text":' + heard + b"}]}"


def answer(raw: bytes) -> bytes | None:
    """The whole answer to one message; `None` where it needs none."""
    message = json.loads(raw)
    if "id" not in message or "method" not in message:
        return None
    head = b'{"jsonrpc":"2.0","id":' + json.dumps(message["id"]).encode()
    result = result_of(message["method"], raw, message.get("params") or {})
    if result is None:
        return head + b',"error":{"code":-32601,"message":"Method not found"}}'
    return head + b',"result":' + result + b"}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        said = answer(self.rfile.read(int(self.headers["content-length"])))
        if said is None:
            self.send_response(202)
            self.send_header("content-length", "0")
            return self.end_headers()
        if b'"z":{' in said:
            said = odd.pretty(said)
        self.send_response(200 if b'"error":{"code":-32601' not in said else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_GET(self):
        self.send_error(405)

    do_DELETE = do_GET

    def log_message(self, *_):
        pass


def main() -> None:
    if sys.argv[1] == "http":
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(f"http://127.0.0.1:{server.server_address[1]}/mcp", flush=True)
        return server.serve_forever()
    for line in sys.stdin.buffer:
        said = answer(line)
        if said is not None:
            sys.stdout.buffer.write(said + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
