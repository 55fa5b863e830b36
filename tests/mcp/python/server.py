"""The server of these tests with the Python SDK: over HTTP on the port of its argument, otherwise over stdio."""

import asyncio
import os
import sys

import uvicorn
from mcp import MCPError
from mcp.server import MCPServer
from mcp.types import CallToolResult, TextContent
from starlette.responses import PlainTextResponse

server = MCPServer("python", log_level="CRITICAL")
# The status of every later answer over HTTP, and its Retry-After.
down: tuple[int, str] | None = None


@server.tool()
def id() -> str:
    return str(os.getpid())


@server.tool()
async def slow() -> str:
    await asyncio.sleep(0.1)
    return "slow"


@server.tool()
async def hangs() -> str:
    await asyncio.sleep(3600)
    return "never"


@server.tool()
def panics() -> str:
    raise RuntimeError("the tool is broken")


@server.tool()
def fails() -> str:
    raise MCPError(-32603, "the backend is down")


@server.tool()
def is_error() -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text="no such file")], is_error=True)


@server.tool()
def numbers(number: int) -> str:
    return str(number)


@server.tool()
def big() -> str:
    return "x" * (1 << 20)


@server.tool()
def exits() -> str:
    os._exit(1)


@server.tool()
def prints() -> str:
    os.write(1, b"Listening on port 80\n")
    return "printed"


@server.tool()
def goes_down(status: int, retry_after: str) -> str:
    global down
    down = (status, retry_after)
    return "down"


def unless_down(app):
    async def answer(scope, receive, send):
        if down is None or scope["type"] != "http":
            await app(scope, receive, send)
        else:
            status, retry_after = down
            page = PlainTextResponse("down for maintenance", status, {"retry-after": retry_after})
            await page(scope, receive, send)

    return answer


async def serve_http(port: int) -> None:
    app = unless_down(server.streamable_http_app())
    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="info")).serve()


if len(sys.argv) > 1:
    asyncio.run(serve_http(int(sys.argv[1])))
else:
    server.run()
