"""Clients that keep every byte: one for each way to speak to a node, each giving the raw answer to a raw request."""

import http.client
import subprocess
import threading
from collections.abc import Callable
from urllib.parse import urlparse

from nodes import PEERAGE, Node
from websockets.sync.client import connect

ANSWER_SECONDS_MAX = 60
MODERN_HEADERS = {"mcp-protocol-version": "2026-07-28"}
INITIALIZE = (
    b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"fidelity","version":"1"}}}'
)
Request = Callable[[bytes], bytes]


class Http:
    """Streamable HTTP, with JSON or with streams only."""

    def __init__(self, node: Node, era: str, accept: str):
        self.authority = urlparse(node.ready["http"]).netloc
        self.headers = {"content-type": "application/json", "accept": accept}
        self.on_lines = "json" not in accept
        self.era = era
        if era == "legacy":
            response, _ = self.post(INITIALIZE, {})
            self.headers["mcp-session-id"] = response.getheader("mcp-session-id")

    def post(self, body: bytes, headers: dict) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.authority, timeout=ANSWER_SECONDS_MAX)
        connection.request("POST", "/mcp", body, {**self.headers, **headers})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def ask(self, method: str, name: str | None, message: bytes) -> bytes:
        headers = {}
        if self.era == "modern":
            headers = {**MODERN_HEADERS, "mcp-method": method, **({"mcp-name": name} if name else {})}
        response, body = self.post(message, headers)
        assert response.status == 200, (response.status, body[:500])
        return data_of(body) if self.on_lines else body

    def close(self) -> None:
        pass


def data_of(stream: bytes) -> bytes:
    """The last message of an event stream."""
    lines = [line for line in stream.split(b"\n") if line.startswith(b"data: ") and len(line) > 6]
    return lines[-1].removeprefix(b"data: ")


class WebSocket:
    """One message a frame."""

    on_lines = False

    def __init__(self, node: Node, era: str):
        url = node.ready["http"].replace("http://", "ws://")
        self.socket = connect(url, subprotocols=["mcp"], max_size=None, open_timeout=ANSWER_SECONDS_MAX)
        if era == "legacy":
            self.ask("initialize", None, INITIALIZE)

    def ask(self, method: str, name: str | None, message: bytes) -> bytes:
        self.socket.send(message.decode())
        while True:
            said = self.socket.recv(timeout=ANSWER_SECONDS_MAX).encode()
            if b'"id":' in said[:40]:
                return said

    def close(self) -> None:
        self.socket.close()


class HttpSse:
    """The pair of 2024-11-05."""

    on_lines = True

    def __init__(self, node: Node, era: str):
        self.authority = urlparse(node.ready["http"]).netloc
        self.connection = http.client.HTTPConnection(self.authority, timeout=ANSWER_SECONDS_MAX)
        self.connection.request("GET", "/sse", headers={"accept": "text/event-stream"})
        self.stream = self.connection.getresponse()
        assert self.stream.status == 200, self.stream.status
        self.path = self.next_data().decode()
        if era == "legacy":
            self.ask("initialize", None, INITIALIZE)

    def next_data(self) -> bytes:
        while True:
            line = self.stream.readline()
            assert line, "the stream has ended"
            if line.startswith(b"data: "):
                return line.removeprefix(b"data: ").removesuffix(b"\n")

    def ask(self, method: str, name: str | None, message: bytes) -> bytes:
        posting = http.client.HTTPConnection(self.authority, timeout=ANSWER_SECONDS_MAX)
        posting.request("POST", self.path, message, {"content-type": "application/json"})
        status = posting.getresponse().status
        assert status == 202, status
        posting.close()
        while b'"id":' not in (said := self.next_data())[:40]:
            pass
        return said

    def close(self) -> None:
        self.connection.close()


class Stdio:
    """The stdio proxy: lines."""

    on_lines = True

    def __init__(self, node: Node, era: str):
        pipe = subprocess.PIPE
        command = [PEERAGE, "--home", str(node.home), "mcp", "--no-start"]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        self.watchdog = threading.Timer(5 * ANSWER_SECONDS_MAX, self.process.kill)
        self.watchdog.start()
        if era == "legacy":
            self.ask("initialize", None, INITIALIZE)

    def ask(self, method: str, name: str | None, message: bytes) -> bytes:
        self.process.stdin.write(message + b"\n")
        self.process.stdin.flush()
        while b'"id":' not in (said := self.process.stdout.readline())[:40]:
            assert said, "the proxy has ended"
        return said.removesuffix(b"\n")

    def close(self) -> None:
        self.watchdog.cancel()
        self.process.stdin.close()
        self.process.wait(timeout=ANSWER_SECONDS_MAX)


DOORS = {
    "http": lambda node, era: Http(node, era, "application/json, text/event-stream"),
    "http stream": lambda node, era: Http(node, era, "text/event-stream"),
    "websocket": WebSocket,
    "http+sse": HttpSse,
    "stdio": Stdio,
}
