"""The Python SDK 2.3 walks through the reference server in one era: sdk_2.py legacy|2026-07-28|auto URL."""

import asyncio
import sys

from mcp import Client, types
from mcp.types import ElicitResult

from steps import Walk, holds, same


async def sample(context, params) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="sampled")
    return types.CreateMessageResult(role="assistant", content=content, model="walker")


async def elicit(context, params) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "ada", "response": "ada"})


class Walker:
    """What one client does."""

    def __init__(self, client: Client, legacy: bool):
        self.client = client
        self.legacy = legacy
        self.steps: list[float] = []

    async def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        self.steps.append(progress)

    async def text_of(self, tool: str, arguments: dict | None = None) -> str:
        result = await self.client.call_tool(tool, arguments or {}, progress_callback=self.progressed)
        assert not result.is_error, result
        return result.content[0].text

    async def tools(self) -> None:
        holds([tool.name for tool in (await self.client.list_tools()).tools], "test_simple_text")
        same(await self.text_of("test_simple_text"), "This is a simple text response for testing.")

    async def progress(self) -> None:
        self.steps.clear()
        await self.text_of("test_tool_with_progress")
        same(self.steps, [0, 50, 100])

    async def elicitation(self) -> None:
        if self.legacy:
            holds(await self.text_of("test_elicitation", {"message": "who?"}), "ada")
        else:
            holds(await self.text_of("test_input_required_result_elicitation"), "ada")

    async def sampling(self) -> None:
        if self.legacy:
            holds(await self.text_of("test_sampling", {"prompt": "a question"}), "sampled")
        else:
            holds(await self.text_of("test_input_required_result_sampling"), "sampled")

    async def resources(self) -> None:
        listed = [str(resource.uri) for resource in (await self.client.list_resources()).resources]
        holds(listed, "test://static-text")
        read = await self.client.read_resource("test://static-text")
        holds(read.contents[0].text, "static text resource")
        filled = await self.client.read_resource("test://template/7/data")
        holds(filled.contents[0].text, "7")

    async def prompts(self) -> None:
        holds([prompt.name for prompt in (await self.client.list_prompts()).prompts], "test_simple_prompt")
        prompt = await self.client.get_prompt("test_prompt_with_arguments", {"arg1": "one", "arg2": "two"})
        holds(prompt.messages[0].content.text, "one")


STEPS = ("tools", "progress", "elicitation", "sampling", "resources", "prompts")


async def main(mode: str, url: str) -> None:
    walk = Walk(f"SDK 2.3 in mode {mode}")
    async with Client(url, mode=mode, sampling_callback=sample, elicitation_callback=elicit) as client:
        walker = Walker(client, legacy=mode == "legacy")
        for name in STEPS:
            await walk.step(name, getattr(walker, name))
    walk.end()


asyncio.run(main(*sys.argv[1:]))
