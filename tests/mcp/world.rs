//! The server of these tests, and clients of it.

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use halfopen::{CircuitBreakerConfig, Registry, Trip};
use halfopen_limit::{KeyedRateLimiter, Quota};
use halfopen_mcp::{ChildProcess, ConnectError, Connection, McpCallError, McpServer, ToolGuard};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, ServiceExt};
use test_support::server::{ServerProcess, on_free_port};

const STDIO: &str = "HALFOPEN_TEST_MCP_STDIO";
const HTTP: &str = "HALFOPEN_TEST_MCP_HTTP";

/// A server with a tool for each way to answer.
#[derive(Clone, Default)]
pub(crate) struct Tools {
    guard: Option<Arc<ToolGuard>>,
}

impl Tools {
    pub(crate) fn guarded(guard: ToolGuard) -> Tools {
        Tools { guard: Some(Arc::new(guard)) }
    }

    async fn answer(request: CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
        let text = match &*request.name {
            "hangs" => pending().await,
            "panics" => panic!("the tool is broken"),
            "fails" => return Err(ErrorData::internal_error("the backend is down", None)),
            "wrong_arguments" => return Err(ErrorData::invalid_params("no such argument", None)),
            "is_error" => return Ok(CallToolResult::error(vec![ContentBlock::text("no such file")]).into()),
            "exits" => std::process::exit(1),
            _ => std::process::id().to_string(),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match &self.guard {
            Some(guard) => guard.call(request, Tools::answer).await,
            None => Tools::answer(request).await,
        }
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ["id", "hangs"].map(|name| Tool::new(name, "A tool.", JsonObject::new()));
        let listed = ListToolsResult::with_all_items(tools.to_vec());
        Ok(self.guard.as_ref().map_or_else(|| listed.clone(), |guard| guard.list(listed.clone())))
    }
}

/// A server in this process, connected by a pipe, and the number of its connections.
pub(crate) fn in_process(name: &str, tools: Tools) -> (McpServer, Arc<AtomicU32>) {
    let connections = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&connections);
    let connect = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let tools = tools.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                if let Ok(server) = tools.serve(theirs).await {
                    // Its end is that of the client's connection.
                    let _ = server.waiting().await;
                }
            });
            let session = ().serve(ours).await.map_err(ConnectError::from)?;
            Ok::<_, ConnectError>(Connection::from(session))
        }
    };
    (short(McpServer::new(name, connect)), connections)
}

/// A server that is a child of this process: this test program, started as a server.
pub(crate) fn child() -> McpServer {
    let program = std::env::current_exe().expect("a test has a program");
    let arguments = [
        format!("{STDIO}=1"),
        program.display().to_string(),
        "--exact".into(),
        "world::serves_standard_input".into(),
        "--nocapture".into(),
    ];
    short(McpServer::new("child", ChildProcess::new("env", arguments)))
}

/// Opens after three failures in a row, for a time that the test ends.
pub(crate) fn short(server: McpServer) -> McpServer {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(Duration::from_secs(3600))
        .build();
    let registry = Registry::builder().default_config(config.expect("the numbers are in range")).build();
    server
        .registry(registry)
        .tool_timeout(Duration::from_millis(300))
        .connect_timeout(Duration::from_secs(15))
}

/// A server over HTTP in a process of its own.
pub(crate) fn http_server() -> (SocketAddr, ServerProcess) {
    on_free_port("the MCP server", http_server_at)
}

pub(crate) fn http_server_at(address: SocketAddr) -> Option<ServerProcess> {
    let program = std::env::current_exe().expect("a test has a program");
    let mut command = Command::new(program);
    command.env(HTTP, address.to_string());
    command.args(["--exact", "world::serves_http", "--nocapture"]);
    ServerProcess::start(&mut command, "serving")
}

pub(crate) async fn text(server: &McpServer, tool: &str) -> Result<String, McpCallError> {
    let result = server.call_tool(tool, JsonObject::new()).await?;
    Ok(result.content[0].as_text().expect("a text").text.clone())
}

/// Waits until the process has ended and is reaped: one that is not has its folder still.
pub(crate) async fn ended(process: &str) {
    let mut polls = tokio::time::interval(Duration::from_millis(5));
    while Path::new("/proc").join(process).exists() {
        polls.tick().await;
    }
}

pub(crate) fn one_a_minute() -> KeyedRateLimiter {
    let minute = Duration::from_secs(60);
    let many = Quota::calls(1_000).per(minute).build().expect("a valid quota");
    KeyedRateLimiter::new("tools", many)
        .quota_for("id", Quota::calls(1).per(minute).build().expect("a valid quota"))
}

/// The server of [`child`]: no test, unless it is started as one.
#[tokio::test]
async fn serves_standard_input() {
    if std::env::var_os(STDIO).is_some() {
        let server = Tools::default().serve(rmcp::transport::stdio()).await.expect("a session");
        server.waiting().await.expect("it ends with its client");
    }
}

/// The server of [`http_server`]: no test, unless it is started as one.
#[tokio::test]
async fn serves_http() {
    let Ok(address) = std::env::var(HTTP) else { return };
    let service = StreamableHttpService::new(
        || Ok(Tools::default()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let listener = tokio::net::TcpListener::bind(address).await.expect("the port is free");
    println!("serving");
    axum::serve(listener, axum::Router::new().fallback_service(service))
        .await
        .expect("it accepts connections");
}
