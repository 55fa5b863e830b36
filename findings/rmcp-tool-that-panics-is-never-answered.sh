#!/usr/bin/env bash
# rmcp 3.11.0: a call whose tool panics is never answered.
#
# Expected: an internal error of that call, -32603, as for a tool that returns an error; or a session that closes.
# Seen: no answer, while other calls on the same session are answered. The client has no timeout of its own, so the call
# waits for ever; with a timeout of its caller it cannot be distinguished from a tool that is slow.
# Behind a circuit breaker: without a timeout the call never ends, so that it is no failure, and a probe that is such a
# call holds its slot for ever.
#
# Output (30 November 2026, rustc 1.95.0):
#
#   rmcp v3.11.0
#   a tool that returns an error: Err(McpError(-32603))
#   a tool that panics: no answer in 2 s
#   another tool, meanwhile: Ok
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "rmcp-tool-that-panics-is-never-answered"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
rmcp = { version = "=3.11.0", default-features = false, features = ["client", "server"] }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "rt", "time"] }

[profile.dev]
debug = 0
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, ServerCapabilities, ServerConfig,
};
use rmcp::service::{Peer, RequestContext, RoleClient, RoleServer};
use rmcp::{ServerHandler, ServiceError, ServiceExt};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(2);

struct Tools;

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match &*request.name {
            "fails" => Err(ErrorData::internal_error("the backend is down", None)),
            "panics" => panic!("a bug in the tool"),
            _ => Ok(CallToolResult::success(Vec::new()).into()),
        }
    }
}

async fn call(peer: &Peer<RoleClient>, tool: &'static str) -> String {
    match timeout(LIMIT, peer.call_tool(CallToolRequestParams::new(tool))).await {
        Ok(Ok(_)) => "Ok".to_owned(),
        Ok(Err(ServiceError::McpError(error))) => format!("Err(McpError({}))", error.code.0),
        Ok(Err(error)) => format!("Err({error})"),
        Err(_) => format!("no answer in {} s", LIMIT.as_secs()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    std::panic::set_hook(Box::new(|_| {})); // the tool's panic is meant
    let (ours, theirs) = tokio::io::duplex(4096);
    let (client, server) = tokio::join!(().serve(ours), Tools.serve(theirs));
    let (client, _server) = (client.unwrap(), server.unwrap());
    let peer = client.peer();

    let error = call(peer, "fails").await;
    println!("a tool that returns an error: {error}");
    let (panicked, meanwhile) = tokio::join!(call(peer, "panics"), call(peer, "works"));
    println!("a tool that panics: {panicked}\nanother tool, meanwhile: {meanwhile}");
    assert_eq!(
        [error.as_str(), panicked.as_str(), meanwhile.as_str()],
        ["Err(McpError(-32603))", "no answer in 2 s", "Ok"]
    );
}
RUST
cd "$work"
cargo tree --quiet --depth 1 --prefix none --edges normal | grep -E '^rmcp ' | cut -d ' ' -f 1,2
cargo run --quiet
