"""Two nodes: desk serves the npm filesystem server, the PyPI client at laptop reads a file that lies only on desk."""

import asyncio
import sys
import tempfile
from pathlib import Path

from mcp.client import Client

from nodes import FILESYSTEM_SERVER, Node, let_in, wait_for_tool

TEXT = "the very text\n"


async def reads_in_mode(mode: str, url: str, tool: str, path: str) -> None:
    async with Client(url, mode=mode) as client:
        listed = [entry.name for entry in (await client.list_tools()).tools]
        assert tool in listed, listed
        assert not any("closed" in name for name in listed), listed
        result = await client.call_tool(tool, {"path": path})
        assert not result.is_error, result
        assert result.content[0].text == TEXT, result
        await asserts_unknown(client, tool.replace("__open__", "__closed__"), path)


async def asserts_unknown(client: Client, name: str, path: str) -> None:
    try:
        result = await client.call_tool(name, {"path": path})
    except Exception as error:
        assert "Unknown tool" in str(error), error
        return
    assert result.is_error and "Unknown tool" in result.content[0].text, result


def main() -> int:
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        shelf = root / "shelf"
        shelf.mkdir()
        path = shelf / "note.txt"
        path.write_text(TEXT)
        with Node(root / "b", "desk") as desk, Node(root / "a", "laptop") as laptop:
            serve = ["--", "node", FILESYSTEM_SERVER, str(shelf)]
            desk.done("serve", "open", "--share", *serve)
            desk.done("serve", "closed", *serve)
            let_in(desk, laptop)
            tool = wait_for_tool(laptop, "__open__read_text_file")

            assert laptop.done("call", tool, f"path={path}") == TEXT
            print("passed: peerage call reads a file that lies only on the other node")
            passed += 1

            private = laptop.run("call", tool.replace("__open__", "__closed__"), f"path={path}")
            assert private.returncode == 1 and "nknown tool" in private.stderr, private
            print("passed: a private server is unknown by name")
            passed += 1

            for mode in ("legacy", "2026-07-28"):
                asyncio.run(reads_in_mode(mode, laptop.ready["http"], tool, str(path)))
                print(f"passed: the PyPI client in mode {mode} lists, reads and is told nothing of private tools")
                passed += 1
    print(f"{passed} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
