//! MCP servers, attributes of functions, and services by name.

use std::sync::Arc;
use std::time::Duration;

use halfopen::{
    CircuitBreaker, CircuitBreakerError, Outcome, Registry, Rejected, circuit_breaker, rejection,
};
use halfopen_config::{
    CircuitType, Format, LiveRegistry, Loader, Overrides, ServiceType, StandardBreaker, Templates,
};
use halfopen_limit::{KeyedRateLimiter, Quota, RateLimiter};
use halfopen_mcp::{
    ChildProcess, Connect, ConnectError, Connection, Failover, McpCallError, McpServer, StreamableHttp,
    ToolGuard, failover,
};
use halfopen_reqwest::{CallError, Service, ServiceClient, Services, ServicesSection, UnknownService};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, JsonObject, ListToolsResult, ReadResourceResult, Tool,
};

async fn nowhere() -> Result<Connection, ConnectError> {
    Err(ConnectError::Other("nowhere".into()))
}

#[tokio::test]
async fn mcp_servers() -> Result<(), Box<dyn std::error::Error>> {
    fn connects<T: Connect>(_: T) {}
    connects(ChildProcess::new("docker", ["mcp", "gateway", "run"]).mode(halfopen_mcp::default_mode()));
    connects(StreamableHttp::new("http://127.0.0.1:1/mcp").mode(halfopen_mcp::default_mode()));
    let server: McpServer = McpServer::new("docker_server", nowhere)
        .registry(Registry::new())
        .tools(["list_containers"])
        .classify_tool_result(|result| match result.is_error {
            Some(true) => Outcome::Failure,
            Some(false) | None => Outcome::Success,
        })
        .tool_timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(10))
        .max_concurrent_tools(5)?;
    let _: (CircuitBreaker, Option<&CircuitBreaker>) =
        (server.breaker(), server.tool_breaker("list_containers"));
    let connected: Result<(), McpCallError> = server.connect().await;
    let called: Result<CallToolResult, McpCallError> =
        server.call_tool("list_containers", JsonObject::new()).await;
    let read: Result<ReadResourceResult, McpCallError> = server.read_resource("container://nginx/logs").await;
    let listed: Result<Vec<Tool>, McpCallError> = server.list_tools().await;
    assert!(connected.is_err() && read.is_err() && listed.is_err());
    let error = called.unwrap_err();
    let _: Option<&Rejected> = error.rejected();
    assert!(error.is_unsent());

    let servers: Failover =
        failover([Arc::new(server), Arc::new(McpServer::new("b", nowhere))]).repeatable(["list_containers"]);
    assert!(servers.call_tool("list_containers", JsonObject::new()).await.is_err());
    assert!(servers.read_resource("container://nginx/logs").await.is_err());
    assert!(servers.list_tools().await.is_err());
    assert_eq!(servers.servers().len(), 2);
    Ok(())
}

#[tokio::test]
async fn tools_of_an_mcp_server() -> Result<(), Box<dyn std::error::Error>> {
    let quota = || Quota::calls(100).per(Duration::from_secs(60)).build();
    let guard: ToolGuard = ToolGuard::new(Registry::new())
        .rate_limit(RateLimiter::new("server", quota()?))
        .rate_limit_per_tool(KeyedRateLimiter::new("tools", quota()?))
        .breakers(["create_task"])
        .tool_timeout(Duration::from_secs(30))
        .status_tool();
    let request = CallToolRequestParams::new("create_task");
    let called = guard.call(request, |_| async { Ok(CallToolResult::success(Vec::new()).into()) }).await;
    assert!(called.is_ok());
    assert_eq!(guard.list(ListToolsResult::default()).tools.len(), 1);
    Ok(())
}

static PAYMENTS: std::sync::LazyLock<Registry> = std::sync::LazyLock::new(Registry::new);

#[circuit_breaker("payment_service", registry = PAYMENTS)]
async fn charge(cents: u64) -> Result<u64, CircuitBreakerError<std::io::Error>> {
    Ok(cents)
}

#[circuit_breaker("payment_service", registry = PAYMENTS, error = std::io::Error::other)]
fn refund(cents: u64) -> Result<u64, std::io::Error> {
    Ok(cents)
}

#[circuit_breaker("payment_service", registry = PAYMENTS, classify = classify, fallback = remembered)]
async fn balance() -> Result<u64, std::io::Error> {
    Ok(7)
}

fn classify(result: &Result<u64, std::io::Error>) -> Outcome {
    if result.is_ok() { Outcome::Success } else { Outcome::Failure }
}

async fn remembered(_: CircuitBreakerError<std::io::Error>) -> Result<u64, std::io::Error> {
    Ok(5)
}

struct Account(Registry);

impl Account {
    #[circuit_breaker("accounts", registry = self.0)]
    async fn open(&self) -> Result<(), CircuitBreakerError<std::io::Error>> {
        Ok(())
    }
}

#[tokio::test]
async fn attributes_of_functions() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!((charge(1).await?, refund(2)?, balance().await?), (1, 2, 7));
    Account(Registry::new()).open().await?;
    PAYMENTS.get("payment_service").unwrap().force_open();
    assert!(rejection(&charge(1).await.unwrap_err()).is_some());
    assert!(rejection(&refund(2).unwrap_err()).is_some());
    assert_eq!(balance().await?, 5);
    Ok(())
}

#[tokio::test]
async fn services_by_name() -> Result<(), Box<dyn std::error::Error>> {
    let document = "services: { inventory: { base_url: \"http://127.0.0.1:1/v1\" } }";
    let loader = Loader::new().section::<ServicesSection>().text("services.yaml", Format::Yaml, document);
    let live = LiveRegistry::new(loader)?;
    let services: Services = Services::new(live.clone())?;
    let strict = Overrides::new().set("call_timeout", "5s");
    services.register("payment_service", "https://api.payments.example", "external_api", strict)?;
    assert_eq!(services.names(), ["inventory", "payment_service"]);
    let inventory: Service = services.get("inventory")?;
    let _: CircuitBreaker = inventory.breaker();
    assert!(inventory.post("/charge").send().await.is_err());
    assert!(inventory.get("/items").send().await.is_err());
    let call: Result<(), CallError<reqwest::Error>> = services
        .call("inventory", |client: ServiceClient| async move { client.get("/items").send().await.map(drop) })
        .await;
    assert!(matches!(call, Err(CallError::Inner(_))));
    let unknown: UnknownService = services.get("inventroy").unwrap_err();
    assert_eq!(unknown.nearest(), Some("inventory"));

    let by_type: [StandardBreaker; 4] = [
        Templates::ai_provider("claude"),
        Templates::mcp_server("docker"),
        Templates::database("orders"),
        Templates::external_api("github"),
    ];
    for breaker in by_type {
        let _: CircuitBreaker = breaker.get_or_create(&live)?;
    }
    let standard = Templates::of(ServiceType::Ai, "gpt").circuit_type(CircuitType::CountBased);
    let _: CircuitBreaker = standard.set("open.duration", "5s").get_or_create(&live)?;
    Ok(())
}
