"""The Python SDK 1.30 walks through the reference server: sdk_1.py websocket|sse|http URL."""

import asyncio
import contextlib
import sys
import warnings

from mcp import ClientSession, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client

from steps import Walk, holds, same

warnings.simplefilter("ignore", DeprecationWarning)
from mcp.client.websocket import websocket_client  # noqa: E402

TRANSPORTS = {"websocket": websocket_client, "sse": sse_client, "http": streamablehttp_client}


async def sample(context, params) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text=f"sampled {params.messages[0].content.text}")
    return types.CreateMessageResult(role="assistant", content=content, model="walker")


async def elicit(context, params) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"response": "ada"})


class Client:
    """What one session does and hears."""

    def __init__(self, session: ClientSession):
        self.session = session
        self.logged: list[str] = []
        self.steps: list[float] = []

    async def note(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(str(params.data))

    async def progressed(self, progress: float, total: float | None, message: str | None) -> None:
        self.steps.append(progress)

    async def text_of(self, tool: str, arguments: dict | None = None) -> str:
        result = await self.session.call_tool(tool, arguments or {}, progress_callback=self.progressed)
        assert not result.isError, result
        return result.content[0].text

    async def tools(self) -> None:
        holds([tool.name for tool in (await self.session.list_tools()).tools], "test_simple_text")
        same(await self.text_of("test_simple_text"), "This is a simple text response for testing.")

    async def progress(self) -> None:
        self.steps.clear()
        await self.text_of("test_tool_with_progress")
        same(self.steps, [0, 50, 100])

    async def logging(self) -> None:
        await self.session.set_logging_level("debug")
        await self.text_of("test_tool_with_logging")
        same(len(self.logged), 3)

    async def sampling(self) -> None:
        holds(await self.text_of("test_sampling", {"prompt": "a question"}), "sampled a question")

    async def elicitation(self) -> None:
        holds(await self.text_of("test_elicitation", {"message": "who?"}), "ada")

    async def resources(self) -> None:
        listed = [str(resource.uri) for resource in (await self.session.list_resources()).resources]
        holds(listed, "test://static-text")
        read = await self.session.read_resource("test://static-text")
        holds(read.contents[0].text, "static text resource")
        binary = await self.session.read_resource("test://static-binary")
        assert binary.contents[0].blob
        templates = (await self.session.list_resource_templates()).resourceTemplates
        holds([template.uriTemplate for template in templates], "test://template/{id}/data")
        filled = await self.session.read_resource("test://template/7/data")
        holds(filled.contents[0].text, "7")

    async def subscriptions(self) -> None:
        await self.session.subscribe_resource("test://watched-resource")
        await self.session.unsubscribe_resource("test://watched-resource")

    async def prompts(self) -> None:
        holds([prompt.name for prompt in (await self.session.list_prompts()).prompts], "test_simple_prompt")
        prompt = await self.session.get_prompt("test_prompt_with_arguments", {"arg1": "one", "arg2": "two"})
        holds(prompt.messages[0].content.text, "one")

    async def completion(self) -> None:
        reference = types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
        completed = await self.session.complete(reference, {"name": "arg1", "value": "o"})
        same(completed.completion.values, [])


STEPS = ("tools", "progress", "logging", "sampling", "elicitation", "resources", "subscriptions", "prompts", "completion")


async def main(transport: str, url: str) -> None:
    walk = Walk(f"SDK 1.30 over {transport}")
    async with contextlib.AsyncExitStack() as stack:
        streams = await stack.enter_async_context(TRANSPORTS[transport](url))
        client = Client(None)
        client.session = await stack.enter_async_context(
            ClientSession(
                *streams[:2],
                sampling_callback=sample,
                elicitation_callback=elicit,
                logging_callback=client.note,
            )
        )
        await client.session.initialize()
        for name in STEPS:
            await walk.step(name, getattr(client, name))
    walk.end()


asyncio.run(main(*sys.argv[1:]))
