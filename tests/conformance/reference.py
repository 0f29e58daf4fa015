"""Runs the reference server over HTTP or standard input and output, in both eras or pinned to one.

    reference.py http|stdio [legacy|modern]

Over HTTP it prints its URL when it listens. Pinned, it refuses messages of the other era the way a server does that has
never heard of it: what a client then makes of it is the point.
"""

import json
import os
import socket
import subprocess
import sys
import threading

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
MODERN_VERSION = "2026-07-28"


def era_of(message: object, version_header: str = "") -> str:
    """The era of one message; a notification or answer without a version is legacy."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    modern = version_header == MODERN_VERSION or (isinstance(meta, dict) and VERSION_KEY in meta)
    return "modern" if modern else "legacy"


def refusal(message: object, pinned: str) -> dict:
    """What a server of era `pinned` answers to a message of the other one."""
    request = message.get("id") if isinstance(message, dict) else None
    if pinned == "legacy":
        error = {"code": -32601, "message": "Method not found"}
    else:
        data = {"supported": [MODERN_VERSION], "requested": "2025-11-25"}
        error = {"code": -32022, "message": "Unsupported protocol version", "data": data}
    return {"jsonrpc": "2.0", "id": request, "error": error}


class Pinned:
    """An ASGI application that lets one era through to `application`."""

    def __init__(self, application, pinned: str):
        self.application = application
        self.pinned = pinned

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.application(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        version = headers.get("mcp-protocol-version", "")
        if scope["method"] != "POST":
            if self.pinned == "modern":
                return await answer(send, 405, {})
            return await self.application(scope, receive, send)
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        message = json.loads(body)
        if era_of(message, version) != self.pinned:
            return await answer(send, 400, refusal(message, self.pinned))
        replayed = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def once_more():
            return next(replayed, None) or await receive()

        await self.application(scope, once_more, send)


async def answer(send, status: int, body: dict) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def serve_http(pinned: str | None) -> None:
    import uvicorn
    from mcp_everything_server.server import event_store, mcp

    application = mcp.streamable_http_app(event_store=event_store, retry_interval=100)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    application = Pinned(application, pinned) if pinned else application
    config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


def serve_stdio() -> None:
    from mcp_everything_server.server import mcp

    mcp.run(transport="stdio")


def serve_stdio_pinned(pinned: str) -> None:
    """Sits between the client and the server, and answers messages of the other era itself."""
    pipe = subprocess.PIPE
    server = subprocess.Popen([sys.executable, __file__, "stdio"], stdin=pipe, stdout=pipe)
    writing = threading.Lock()

    def say(line: bytes) -> None:
        with writing:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()

    def follow() -> None:
        for line in server.stdout:
            say(line)

    threading.Thread(target=follow).start()
    for line in sys.stdin.buffer:
        message = json.loads(line)
        is_request = "id" in message and "method" in message
        if is_request and era_of(message) != pinned:
            say(json.dumps(refusal(message, pinned)).encode() + b"\n")
        else:
            server.stdin.write(line)
            server.stdin.flush()
    server.stdin.close()
    server.wait()


def main() -> None:
    sys.path.insert(0, os.environ["KIT"])
    transport, pinned = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    if transport == "http":
        serve_http(pinned)
    elif pinned:
        serve_stdio_pinned(pinned)
    else:
        serve_stdio()


if __name__ == "__main__":
    main()
