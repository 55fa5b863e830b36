//! The tools of a server behind a guard.

use std::time::Duration;

use halfopen::{CircuitBreakerConfig, Registry, Trip};
use halfopen_mcp::{McpCallError, ToolGuard};
use rmcp::ServiceError;
use rmcp::model::ErrorData;

use crate::world::{Tools, in_process, one_a_minute, text};

fn guard() -> ToolGuard {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(2)).build().unwrap();
    ToolGuard::new(Registry::builder().default_config(config).build())
}

fn of_the_server(error: McpCallError) -> ErrorData {
    match error {
        McpCallError::Call(ServiceError::McpError(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_rate_limit_is_an_error_with_a_wait() {
    let (server, _) = in_process("limited", Tools::guarded(guard().rate_limit_per_tool(one_a_minute())));
    assert!(text(&server, "id").await.is_ok());
    let error = of_the_server(text(&server, "id").await.unwrap_err());
    assert_eq!(error.code.0, -32000);
    let data = error.data.unwrap();
    assert_eq!(data["reason"], "rate_limited");
    assert!(data["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0 && wait <= 60_000), "{data}");
    assert!(text(&server, "other").await.is_ok(), "another tool has a quota of its own");
}

#[tokio::test]
async fn a_tool_that_panics_is_answered_and_opens() {
    let (server, _) = in_process("guarded", Tools::guarded(guard().breakers(["panics"]).status_tool()));
    for _ in 0..2 {
        let error = of_the_server(text(&server, "panics").await.unwrap_err());
        assert_eq!((error.code.0, &*error.message), (-32603, "the tool panicked"));
    }
    let status = text(&server, "circuit_breakers").await.unwrap();
    assert!(status.contains("`panics` is open"), "{status}");
    let error = of_the_server(text(&server, "panics").await.unwrap_err());
    assert_eq!(error.data.unwrap()["reason"], "circuit_breaker_open");
    assert_eq!(server.list_tools().await.unwrap().len(), 3, "the status is listed as a tool");
}

#[tokio::test]
async fn a_tool_that_hangs_is_answered() {
    let (server, _) = in_process("slow", Tools::guarded(guard().tool_timeout(Duration::from_millis(50))));
    let error = of_the_server(text(&server, "hangs").await.unwrap_err());
    assert_eq!(error.message, "the tool has no answer within 50ms");
}
