//! Calls that are answered, and how the answers count.

use std::sync::atomic::Ordering;
use std::time::Duration;

use halfopen::{CircuitBreakerConfig, Outcome, Registry, Trip};
use halfopen_mcp::{McpCallError, failover};
use rmcp::model::JsonObject;

use crate::world::{Tools, in_process, text};

#[tokio::test]
async fn a_tool_is_called_over_one_connection() {
    let (server, connections) = in_process("docker", Tools::default());
    for _ in 0..3 {
        assert_eq!(text(&server, "id").await.unwrap(), std::process::id().to_string());
    }
    assert_eq!(server.list_tools().await.unwrap().len(), 2);
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    assert_eq!(server.breaker().snapshot().totals.successes, 4);
}

#[tokio::test]
async fn answers_count_by_their_code() {
    let (server, _) = in_process("docker", Tools::default());
    assert!(matches!(text(&server, "wrong_arguments").await, Err(McpCallError::Call(_))));
    assert_eq!(text(&server, "is_error").await.unwrap(), "no such file");
    assert!(matches!(text(&server, "fails").await, Err(McpCallError::Call(_))));
    let totals = server.breaker().snapshot().totals;
    assert_eq!((totals.successes, totals.failures), (2, 1));
}

#[tokio::test]
async fn a_hook_classifies_results_for_the_tools() {
    let (server, _) = in_process("docker", Tools::default());
    let server = server.tools(["is_error"]).classify_tool_result(|result| match result.is_error {
        Some(true) => Outcome::Failure,
        Some(false) | None => Outcome::Success,
    });
    for _ in 0..3 {
        text(&server, "is_error").await.unwrap();
    }
    let error = text(&server, "is_error").await.unwrap_err();
    assert_eq!(error.rejected().unwrap().name(), "docker/is_error");
    assert!(text(&server, "id").await.is_ok(), "other tools are called");
    assert_eq!(server.breaker().snapshot().totals.failures, 0, "the server answers");
}

#[tokio::test]
async fn a_tool_that_hangs_or_panics_ends_in_a_timeout() {
    let (server, _) = in_process("docker", Tools::default());
    let server = server.tool_timeout(Duration::from_millis(50));
    for tool in ["hangs", "panics", "hangs"] {
        assert!(matches!(text(&server, tool).await, Err(McpCallError::Timeout(_))), "{tool}");
    }
    assert!(server.breaker().is_open(), "without breakers of tools it is the server that fails");
    assert!(text(&server, "id").await.unwrap_err().is_unsent());
}

#[tokio::test]
async fn a_hung_tool_opens_its_own_breaker_alone() {
    let (server, _) = in_process("docker", Tools::default());
    let server = server.tools(["hangs"]);
    for _ in 0..3 {
        let (hung, healthy) = tokio::join!(text(&server, "hangs"), text(&server, "id"));
        assert!(matches!(hung, Err(McpCallError::Timeout(_))) && healthy.is_ok());
    }
    assert!(server.tool_breaker("hangs").unwrap().is_open());
    assert_eq!(server.breaker().snapshot().totals.failures, 0, "it has answered others meanwhile");
}

#[tokio::test]
async fn a_full_bulkhead_makes_calls_wait() {
    let (server, _) = in_process("docker", Tools::default());
    let server = server.max_concurrent_tools(1).unwrap();
    let (hung, healthy) = tokio::join!(text(&server, "hangs"), text(&server, "id"));
    assert!(matches!(hung, Err(McpCallError::Timeout(_))));
    assert!(healthy.is_ok(), "it was made after the slot was free");
}

#[tokio::test]
async fn a_probe_has_a_new_connection() {
    let (server, connections) = in_process("docker", Tools::default());
    let server = server.tool_timeout(Duration::from_millis(50));
    for _ in 0..3 {
        text(&server, "hangs").await.unwrap_err();
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    server.breaker().end_wait();
    assert!(text(&server, "id").await.is_ok());
    assert_eq!(connections.load(Ordering::Relaxed), 2);
    assert!(server.breaker().is_closed());
}

#[tokio::test]
async fn three_calls_without_an_answer_end_a_connection() {
    let (server, connections) = in_process("docker", Tools::default());
    let patient = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(10)).build().unwrap();
    let registry = Registry::builder().default_config(patient).build();
    let server = server.registry(registry).tool_timeout(Duration::from_millis(30));
    for _ in 0..2 {
        text(&server, "hangs").await.unwrap_err();
    }
    text(&server, "id").await.unwrap();
    for _ in 0..3 {
        text(&server, "hangs").await.unwrap_err();
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1, "an answer ends the run of two");
    assert!(server.breaker().is_closed());
    text(&server, "id").await.unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn failover_repeats_only_what_is_safe() {
    let (first, _) = in_process("first", Tools::default());
    let (second, _) = in_process("second", Tools::default());
    let (first, second) = (first.tool_timeout(Duration::from_millis(50)).into(), second.into());
    let servers =
        failover([std::sync::Arc::clone(&first), std::sync::Arc::clone(&second)]).repeatable(["fails"]);
    let calls = || second.breaker().snapshot().totals.calls();

    assert!(matches!(servers.call_tool("hangs", JsonObject::new()).await, Err(McpCallError::Timeout(_))));
    assert_eq!(calls(), 0, "it may have run");
    servers.call_tool("fails", JsonObject::new()).await.unwrap_err();
    assert_eq!(calls(), 1, "it may run twice");
    servers.call_tool("wrong_arguments", JsonObject::new()).await.unwrap_err();
    assert_eq!(calls(), 1, "the answer would be the same");
    first.breaker().force_open();
    servers.call_tool("id", JsonObject::new()).await.unwrap();
    assert_eq!(calls(), 2, "it was never sent");
}
