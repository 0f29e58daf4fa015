"""The command line of the MCP Inspector walks through the reference server: inspector.py URL."""

import asyncio
import json
import os
import sys

from steps import Walk, holds

INSPECTOR = os.environ["INSPECTOR"]


async def ask(url: str, method: str, *arguments: str) -> dict:
    command = [INSPECTOR, "--cli", url, "--transport", "http", "--method", method, *arguments]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    said, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return json.loads(said)


async def main(url: str) -> None:
    walk = Walk("Inspector")

    async def tools() -> None:
        holds([tool["name"] for tool in (await ask(url, "tools/list"))["tools"]], "test_simple_text")
        result = await ask(url, "tools/call", "--tool-name", "test_simple_text")
        holds(result["content"][0]["text"], "simple text response")

    async def resources() -> None:
        listed = (await ask(url, "resources/list"))["resources"]
        holds([resource["uri"] for resource in listed], "test://static-text")
        read = await ask(url, "resources/read", "--uri", "test://static-text")
        holds(read["contents"][0]["text"], "static text resource")
        templates = (await ask(url, "resources/templates/list"))["resourceTemplates"]
        holds([template["uriTemplate"] for template in templates], "test://template/{id}/data")

    async def prompts() -> None:
        listed = (await ask(url, "prompts/list"))["prompts"]
        holds([prompt["name"] for prompt in listed], "test_prompt_with_arguments")
        arguments = ["--prompt-args", "arg1=one", "--prompt-args", "arg2=two"]
        prompt = await ask(url, "prompts/get", "--prompt-name", "test_prompt_with_arguments", *arguments)
        holds(prompt["messages"][0]["content"]["text"], "one")

    for take in (tools, resources, prompts):
        await walk.step(take.__name__, take)
    walk.end()


asyncio.run(main(sys.argv[1]))
