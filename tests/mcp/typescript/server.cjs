// The server of these tests with the TypeScript SDK: over HTTP on the port of its argument, otherwise over stdio.

const { randomUUID } = require("node:crypto");
const { writeSync } = require("node:fs");
const { createServer } = require("node:http");
const { setTimeout } = require("node:timers/promises");
const { McpServer } = require("@modelcontextprotocol/sdk/server/mcp.js");
const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
const { StreamableHTTPServerTransport } = require("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { McpError } = require("@modelcontextprotocol/sdk/types.js");
const { z } = require("zod");

// The status of every later answer over HTTP, and its Retry-After.
let down;

const text = (text, isError) => ({ content: [{ type: "text", text }], isError });

const tools = {
  id: () => text(String(process.pid)),
  slow: async () => {
    await setTimeout(100);
    return text("slow");
  },
  hangs: () => new Promise(() => {}),
  panics: () => {
    throw new Error("the tool is broken");
  },
  fails: () => {
    throw new McpError(-32603, "the backend is down");
  },
  is_error: () => text("no such file", true),
  big: () => text("x".repeat(1 << 20)),
  exits: () => process.exit(1),
  throws_outside: () => {
    setImmediate(() => {
      throw new Error("outside of the tool");
    });
    return new Promise(() => {});
  },
  prints: () => {
    writeSync(1, "Listening on port 80\n");
    return text("printed");
  },
};

function mcp() {
  const server = new McpServer({ name: "typescript", version: "1.0.0" });
  for (const [name, tool] of Object.entries(tools)) {
    server.registerTool(name, {}, tool);
  }
  server.registerTool("numbers", { inputSchema: { number: z.number() } }, ({ number }) => text(String(number)));
  const status = { status: z.number(), retry_after: z.string() };
  server.registerTool("goes_down", { inputSchema: status }, (values) => {
    down = values;
    return text("down");
  });
  return server;
}

const sessions = new Map();

// The SDK leaves to the program how an unknown session is answered: 404 by the specification, 400 in its examples.
const unknownSession = Number(process.env.UNKNOWN_SESSION ?? 404);

async function session(request) {
  const id = request.headers["mcp-session-id"];
  if (id !== undefined) {
    return sessions.get(id);
  }
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  await mcp().connect(transport);
  return transport;
}

async function answer(request, response) {
  if (down !== undefined) {
    response.writeHead(down.status, { "retry-after": down.retry_after }).end("down for maintenance");
    return;
  }
  const transport = await session(request);
  if (transport === undefined) {
    const error = { code: -32000, message: "Bad Request: No valid session ID provided" };
    response.writeHead(unknownSession, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", error, id: null }));
    return;
  }
  await transport.handleRequest(request, response);
}

if (process.argv.length > 2) {
  createServer(answer).listen(Number(process.argv[2]), "127.0.0.1", () => console.log("serving"));
} else {
  mcp().connect(new StdioServerTransport());
}
