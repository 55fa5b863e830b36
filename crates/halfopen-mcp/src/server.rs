//! The tools of a server behind rate limits and breakers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use halfopen::adapter::catch_panic_in_future;
use halfopen::{CircuitBreaker, OwnedPermit, Registry, RejectReason, Rejected, Report};
use halfopen_limit::{KeyedRateLimiter, RateLimiter};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode, ErrorData,
    ListToolsResult, Tool,
};
use serde_json::{Map, json};
use tokio::time::timeout;

/// "The server is busy", in the range that the protocol leaves to servers.
const BUSY: ErrorCode = ErrorCode(-32000);
const STATUS_TOOL: &str = "circuit_breakers";
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Rate limits, breakers and a timeout around the tools of a server, for the `call_tool` of a handler.
///
/// A rejected call is the error −32000 with `data: { reason, retry_after_ms }`. A tool that panics is an internal error
/// of its call; without the guard, rmcp never answers such a call.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
/// use halfopen_limit::{KeyedRateLimiter, Quota, RateLimiter};
/// use halfopen_mcp::ToolGuard;
/// use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let minute = Duration::from_secs(60);
/// let per_tool = KeyedRateLimiter::new("tools", Quota::calls(100).per(minute).build()?)
///     .quota_for("create_task", Quota::calls(1).per(minute).build()?);
/// let guard = ToolGuard::new(Registry::new())
///     .rate_limit(RateLimiter::new("server", Quota::calls(1_000).per(minute).build()?))
///     .rate_limit_per_tool(per_tool)
///     .breakers(["create_task"]);
///
/// // In `ServerHandler::call_tool`:
/// let create = || guard.call(CallToolRequestParams::new("create_task"), |_request| async {
///     Ok(CallToolResult::success(vec![ContentBlock::text("created")]).into())
/// });
/// assert!(create().await.is_ok());
/// let error = create().await.unwrap_err();
/// assert_eq!(error.data.unwrap()["reason"], "rate_limited");
/// # Ok(())
/// # }
/// ```
pub struct ToolGuard {
    registry: Registry,
    limit: Option<RateLimiter>,
    limit_per_tool: Option<KeyedRateLimiter>,
    breakers: Vec<(Arc<str>, CircuitBreaker)>,
    timeout: Duration,
    shows_status: bool,
}

impl ToolGuard {
    /// Creates a guard without limits and breakers: a timeout of 60 seconds, and answers for tools that panic.
    pub fn new(registry: Registry) -> ToolGuard {
        ToolGuard {
            registry,
            limit: None,
            limit_per_tool: None,
            breakers: Vec::new(),
            timeout: CALL_TIMEOUT,
            shows_status: false,
        }
    }

    /// Limits the calls of all tools together.
    pub fn rate_limit(self, limit: RateLimiter) -> ToolGuard {
        ToolGuard { limit: Some(limit), ..self }
    }

    /// Limits the calls of each tool, by its name.
    pub fn rate_limit_per_tool(self, limit: KeyedRateLimiter) -> ToolGuard {
        ToolGuard { limit_per_tool: Some(limit), ..self }
    }

    /// Gives each of these tools a breaker with its name.
    ///
    /// Errors of the tool with the codes of [`outcome`](crate::outcome) are failures, and so are panics and
    /// timeouts. A result with `is_error` is none.
    pub fn breakers<T: AsRef<str>>(mut self, tools: impl IntoIterator<Item = T>) -> ToolGuard {
        for tool in tools {
            let tool = tool.as_ref();
            self.breakers.push((tool.into(), self.registry.get_or_create(tool)));
        }
        self
    }

    /// Sets the time in which a tool must answer. The default is 60 seconds.
    pub fn tool_timeout(self, timeout: Duration) -> ToolGuard {
        ToolGuard { timeout, ..self }
    }

    /// Adds the tool `circuit_breakers`, by which an agent reads the state of all breakers of the registry, with the
    /// reason of each and what happens next.
    ///
    /// The handler adds its description in `list_tools`, by [`list`](Self::list).
    pub fn status_tool(self) -> ToolGuard {
        ToolGuard { shows_status: true, ..self }
    }

    /// Returns the list with the description of the status tool, if the guard has one.
    pub fn list(&self, mut tools: ListToolsResult) -> ListToolsResult {
        if self.shows_status {
            let schema = Map::from_iter([("type".to_owned(), json!("object"))]);
            let description =
                "Returns the state of each circuit breaker, why it is in this state, and what happens next.";
            tools.tools.push(Tool::new(STATUS_TOOL, description, schema));
        }
        tools
    }

    /// Calls a tool if limits and its breaker admit the call.
    ///
    /// # Errors
    ///
    /// Returns the error −32000 if the call is rejected, the internal error −32603 if the tool panics or has no answer in
    /// time, and the errors of the tool.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the call and releases its permit.
    pub async fn call<F, Fut>(
        &self,
        request: CallToolRequestParams,
        tool: F,
    ) -> Result<CallToolResponse, ErrorData>
    where
        F: FnOnce(CallToolRequestParams) -> Fut,
        Fut: Future<Output = Result<CallToolResponse, ErrorData>>,
    {
        // Not limited: it is asked when calls are rejected.
        if self.shows_status && request.name == STATUS_TOOL {
            return Ok(self.status());
        }
        let permit = self.admit(&request.name).map_err(|rejected| busy(&rejected))?;
        let answered = timeout(self.timeout, catch_panic_in_future(|| tool(request))).await;
        let (report, answer) = match answered {
            Ok(Some(Ok(response))) => (Report::success(), Ok(response)),
            Ok(Some(Err(error))) => (crate::classify::of_the_server(&error), Err(error)),
            Ok(None) => (Report::failure(), Err(ErrorData::internal_error("the tool panicked", None))),
            Err(_) => {
                let limit = halfopen::format_duration(self.timeout);
                let message = format!("the tool has no answer within {limit}");
                (Report::failure(), Err(ErrorData::internal_error(message, None)))
            }
        };
        if let Some(permit) = permit {
            permit.report(report);
        }
        answer
    }

    fn admit(&self, tool: &str) -> Result<Option<OwnedPermit>, Rejected> {
        let breaker = self.breakers.iter().find(|(name, _)| **name == *tool).map(|(_, breaker)| breaker);
        let permit = breaker.map(CircuitBreaker::try_acquire_owned).transpose()?;
        let per_tool = self.limit_per_tool.as_ref().map_or(Ok(()), |limit| limit.try_acquire(tool));
        let limited = per_tool.and_then(|()| self.limit.as_ref().map_or(Ok(()), RateLimiter::try_acquire));
        match limited {
            Ok(()) => Ok(permit),
            Err(rejected) => {
                permit.into_iter().for_each(OwnedPermit::ignore);
                Err(rejected)
            }
        }
    }

    fn status(&self) -> CallToolResponse {
        let breakers = self.registry.breakers();
        let texts: Vec<_> = breakers.iter().map(CircuitBreaker::explain).collect();
        let text =
            if texts.is_empty() { "There is no circuit breaker.".to_owned() } else { texts.join("\n\n") };
        CallToolResult::success(vec![ContentBlock::text(text)]).into()
    }
}

fn busy(rejected: &Rejected) -> ErrorData {
    let reason = match rejected.reason() {
        RejectReason::RateLimited => "rate_limited",
        RejectReason::BulkheadFull => "bulkhead_full",
        _ => "circuit_breaker_open",
    };
    let wait = rejected.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    ErrorData::new(BUSY, rejected.to_string(), Some(json!({ "reason": reason, "retry_after_ms": wait })))
}

impl fmt::Debug for ToolGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolGuard")
            .field("breakers", &self.breakers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .field("shows_status", &self.shows_status)
            .finish_non_exhaustive()
    }
}
