//! A server as a client sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use halfopen::adapter::count_rejection;
use halfopen::{CircuitBreaker, ConfigError, Outcome, Permit, Registry, Report};
use halfopen_limit::{Bulkhead, BulkheadConfig};
use rmcp::ServiceError;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, JsonObject, ReadResourceRequestParams, ReadResourceResult, Tool,
};
use rmcp::service::{Peer, RoleClient};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::classify::{connect_outcome, outcome};
use crate::{Connect, ConnectError, Connection, McpCallError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Below the 16 requests that rmcp has in flight over HTTP: with so many that hang, healthy ones would wait in line.
const CALLS: u32 = 10;

type ToolRule = dyn Fn(&CallToolResult) -> Outcome + Send + Sync;

/// An MCP server behind a circuit breaker, with a timeout for each call and a limit of calls in flight.
///
/// The first call connects, and so does the first one after the transport has closed. After three calls in a row without an
/// answer the next one gets a new connection, and a probe of the half-open breaker after a single one: after the
/// restart of some servers a client that stays connected never gets an answer. Connecting is a part of the call: its
/// failure counts.
///
/// Breakers of its [`tools`](Self::tools) have the names `server/tool` in the same registry. A tool whose breaker is
/// open rejects its own calls only. A timeout is a failure of the tool, and of the server too unless the
/// server has answered another call meanwhile.
///
/// # Cancel safety
///
/// Dropping the future of a call abandons it, releases its permits, and sends the server a cancellation.
pub struct McpServer {
    connect: Box<dyn Connect>,
    current: Mutex<Option<Arc<Connection>>>,
    name: Arc<str>,
    registry: Registry,
    tools: BTreeMap<String, CircuitBreaker>,
    tool_rule: Option<Box<ToolRule>>,
    bulkhead: Bulkhead,
    connect_timeout: Duration,
    call_timeout: Duration,
}

/// The permits of one call.
struct Admitted<'a> {
    server: Permit<'a>,
    tool: Option<Permit<'a>>,
    is_probe: bool,
}

impl McpServer {
    /// Creates a server of this name, which is also that of its breaker. It connects with its first call.
    pub fn new(name: impl Into<Arc<str>>, connect: impl Connect) -> McpServer {
        let name = name.into();
        let config = calls_in_flight(CALLS);
        McpServer {
            connect: Box::new(connect),
            current: Mutex::new(None),
            registry: Registry::new(),
            tools: BTreeMap::new(),
            tool_rule: None,
            bulkhead: Bulkhead::new(Arc::clone(&name), config.expect("the numbers are in range")),
            connect_timeout: CONNECT_TIMEOUT,
            call_timeout: CALL_TIMEOUT,
            name,
        }
    }

    /// Sets the registry of the breakers, whose rules determine their configurations. The default is a registry of
    /// its own.
    pub fn registry(mut self, registry: Registry) -> McpServer {
        self.registry = registry;
        let names: Vec<_> = self.tools.keys().cloned().collect();
        self.tools(names)
    }

    /// Gives each of these tools a breaker of its own. Other tools can be called, and have none.
    ///
    /// The names are given here because a model can invent names without end.
    pub fn tools<T: Into<String>>(mut self, tools: impl IntoIterator<Item = T>) -> McpServer {
        for tool in tools {
            let tool = tool.into();
            let breaker = self.registry.get_or_create(&format!("{}/{tool}", self.name));
            self.tools.insert(tool, breaker);
        }
        self
    }

    /// Sets the rule that classifies the results of tools for the breakers of [`tools`](Self::tools).
    ///
    /// By default a result is a success even with `is_error`, because servers report wrong arguments and
    /// unknown tools like this, which are errors of the model.
    pub fn classify_tool_result(
        mut self,
        rule: impl Fn(&CallToolResult) -> Outcome + Send + Sync + 'static,
    ) -> McpServer {
        self.tool_rule = Some(Box::new(rule));
        self
    }

    /// Sets the timeout of a call. The default is 60 seconds; there is always one, because a server whose tool panics
    /// may never answer.
    pub fn tool_timeout(mut self, limit: Duration) -> McpServer {
        self.call_timeout = limit;
        self
    }

    /// Sets the timeout of starting a server and its session. The default is 30 seconds.
    pub fn connect_timeout(mut self, limit: Duration) -> McpServer {
        self.connect_timeout = limit;
        self
    }

    /// Sets how many calls are in flight; others wait for up to 60 seconds. The default is 10, and over HTTP it should stay below the 16
    /// of rmcp's `max_concurrent_requests`.
    ///
    /// # Errors
    ///
    /// Returns an error if `calls` is 0.
    pub fn max_concurrent_tools(mut self, calls: u32) -> Result<McpServer, ConfigError> {
        self.bulkhead = Bulkhead::new(Arc::clone(&self.name), calls_in_flight(calls)?);
        Ok(self)
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the breaker of the server.
    pub fn breaker(&self) -> CircuitBreaker {
        self.registry.get_or_create(&self.name)
    }

    /// Returns the breaker of a tool, or [`None`] if it has none of its own.
    pub fn tool_breaker(&self, tool: &str) -> Option<&CircuitBreaker> {
        self.tools.get(tool)
    }

    /// Returns the bulkhead of the calls.
    pub fn bulkhead(&self) -> &Bulkhead {
        &self.bulkhead
    }

    /// Connects if there is no connection, as a call of the breaker.
    ///
    /// # Errors
    ///
    /// Returns an error if the breaker rejects the call, or if there is no connection.
    pub async fn connect(&self) -> Result<(), McpCallError> {
        let breaker = self.breaker();
        let admitted = Admitted::acquire(&breaker, None)?;
        let connected = self.connection(admitted.is_probe).await.map(drop);
        admitted.settle(
            connected.as_ref().map_or_else(connect_outcome, |()| Report::success()),
            Report::ignored(),
        );
        connected.map_err(McpCallError::Connect)
    }

    /// Calls a tool.
    ///
    /// # Errors
    ///
    /// Returns an error if the call is rejected, if there is no connection, or if the call fails. A result with
    /// `is_error` is no error.
    pub async fn call_tool(&self, name: &str, arguments: JsonObject) -> Result<CallToolResult, McpCallError> {
        let parameters = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
        let rule = |result: &CallToolResult| match &self.tool_rule {
            Some(rule) => Report::from(rule(result)),
            None => Report::success(),
        };
        let tool = self.tools.get(name);
        self.call(tool, |peer| async move { peer.call_tool(parameters).await }, rule).await
    }

    /// Reads a resource.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`call_tool`](Self::call_tool).
    pub async fn read_resource(&self, uri: &str) -> Result<ReadResourceResult, McpCallError> {
        let parameters = ReadResourceRequestParams::new(uri);
        self.call(None, |peer| async move { peer.read_resource(parameters).await }, |_| Report::success())
            .await
    }

    /// Lists all tools of the server.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`call_tool`](Self::call_tool).
    pub async fn list_tools(&self) -> Result<Vec<Tool>, McpCallError> {
        self.call(None, |peer| async move { peer.list_all_tools().await }, |_| Report::success()).await
    }

    async fn call<F, Fut, T>(
        &self,
        tool: Option<&CircuitBreaker>,
        operation: F,
        rule: impl Fn(&T) -> Report,
    ) -> Result<T, McpCallError>
    where
        F: FnOnce(Peer<RoleClient>) -> Fut,
        Fut: Future<Output = Result<T, ServiceError>>,
    {
        let breaker = self.breaker();
        // Before the wait for a slot: an open breaker answers immediately, and no permit is held meanwhile.
        breaker.check().inspect_err(|rejected| count_rejection(&breaker, rejected))?;
        let _slot = self.bulkhead.acquire().await?;
        let admitted = Admitted::acquire(&breaker, tool)?;
        let connection = match self.connection(admitted.is_probe).await {
            Ok(connection) => connection,
            Err(error) => {
                admitted.settle(connect_outcome(&error), Report::ignored());
                return Err(McpCallError::Connect(error));
            }
        };
        let before = connection.answers();
        match timeout(self.call_timeout, operation(connection.peer().clone())).await {
            Ok(Ok(value)) => {
                connection.note(true);
                let of_the_tool = rule(&value);
                admitted.settle(Report::success(), of_the_tool);
                Ok(value)
            }
            Ok(Err(error)) => {
                connection.note(matches!(error, ServiceError::McpError(_)));
                let report = outcome(&error);
                admitted.settle(report, report);
                Err(McpCallError::Call(error))
            }
            Err(_) => {
                let answered_others = connection.answers() != before;
                if !answered_others {
                    connection.note(false);
                }
                let of_the_server = match (&admitted.tool, answered_others) {
                    (Some(_), true) => Report::ignored(),
                    (Some(_), false) | (None, _) => Report::failure(),
                };
                admitted.settle(of_the_server, Report::failure());
                Err(McpCallError::Timeout(self.call_timeout))
            }
        }
    }

    /// Returns the connection, or makes a new one.
    async fn connection(&self, is_probe: bool) -> Result<Arc<Connection>, ConnectError> {
        let connect = async {
            let mut current = self.current.lock().await;
            let usable = current.take().filter(|connection| !connection.is_lost(is_probe));
            let connection = match usable {
                Some(connection) => connection,
                None => Arc::new(self.connect.connect().await?),
            };
            *current = Some(Arc::clone(&connection));
            Ok(connection)
        };
        match timeout(self.connect_timeout, connect).await {
            Ok(connection) => connection,
            Err(_) => Err(ConnectError::Timeout(self.connect_timeout)),
        }
    }
}

/// Calls that wait are bounded in number and in time, as those in flight are.
fn calls_in_flight(calls: u32) -> Result<BulkheadConfig, ConfigError> {
    BulkheadConfig::builder()
        .max_concurrent_calls(calls)
        .max_waiting_calls(100)
        .max_wait(CALL_TIMEOUT)
        .build()
}

impl<'a> Admitted<'a> {
    fn acquire(
        server: &'a CircuitBreaker,
        tool: Option<&'a CircuitBreaker>,
    ) -> Result<Admitted<'a>, McpCallError> {
        let tool = tool.map(CircuitBreaker::try_acquire).transpose()?;
        match server.try_acquire() {
            Ok(permit) => Ok(Admitted { server: permit, tool, is_probe: server.is_half_open() }),
            Err(rejected) => {
                tool.into_iter().for_each(Permit::ignore);
                Err(rejected.into())
            }
        }
    }

    fn settle(self, server: Report, tool: Report) {
        self.server.report(server);
        if let Some(permit) = self.tool {
            permit.report(tool);
        }
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer")
            .field("name", &self.name)
            .field("tools", &self.tools.keys().collect::<Vec<_>>())
            .field("connect_timeout", &self.connect_timeout)
            .field("tool_timeout", &self.call_timeout)
            .finish_non_exhaustive()
    }
}
