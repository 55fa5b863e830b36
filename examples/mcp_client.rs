//! Run it: cargo run --example mcp_client --features mcp
//!
//! An agent has two MCP servers with the same tools. The first dies: its breaker opens, and calls go to the second
//! until a probe finds the first restarted.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use halfopen::{BoxError, CircuitBreakerConfig, Registry, Trip};
use halfopen_mcp::{ConnectError, Connection, McpServer, failover};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ServerHandler, ServiceExt};

/// A server whose only tool names it.
#[derive(Clone)]
struct Named(&'static str);

impl ServerHandler for Named {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = format!("{} by {}", request.name, self.0);
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

/// Whether the first server is down; a switch that only the example needs.
static IS_DOWN: AtomicBool = AtomicBool::new(false);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(2))
        .open_duration(Duration::from_millis(200))
        .build()?;
    let registry = Registry::builder().default_config(config).build();
    let servers = failover([server("first", &registry), server("second", &registry)]);

    for round in 0..10 {
        IS_DOWN.store((2..6).contains(&round), Ordering::Relaxed);
        let result = servers.call_tool("list_containers", JsonObject::new()).await?;
        let text =
            result.content.first().and_then(|content| content.as_text()).map(|text| text.text.as_str());
        println!(
            "{round}  {}  first: {:?}",
            text.unwrap_or("nothing"),
            servers.servers()[0].breaker().state()
        );
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    println!("\n{}", servers.servers()[0].breaker().explain());
    Ok(())
}

/// A server in this process. With `ChildProcess` or `StreamableHttp` in place of the closure it is another one.
fn server(name: &'static str, registry: &Registry) -> Arc<McpServer> {
    let connect = move || async move {
        if name == "first" && IS_DOWN.load(Ordering::Relaxed) {
            return Err(ConnectError::Other("connection refused".into()));
        }
        let (ours, theirs) = tokio::io::duplex(4096);
        tokio::spawn(run(Named(name), theirs));
        Ok(Connection::from(().serve(ours).await?))
    };
    Arc::new(McpServer::new(name, connect).registry(registry.clone()).tool_timeout(Duration::from_secs(1)))
}

/// Serves until the client leaves, or until the server dies.
async fn run(server: Named, pipe: tokio::io::DuplexStream) {
    let name = server.0;
    let Ok(session) = server.serve(pipe).await else { return };
    tokio::select! {
        _ = session.waiting() => {}
        () = died(name) => {}
    }
}

async fn died(name: &str) {
    while name != "first" || !IS_DOWN.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
