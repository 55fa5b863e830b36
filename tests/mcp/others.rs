//! Servers with the SDKs of other languages: their faults as a client sees them, and how calls recover.

use std::process::Command;
use std::time::Duration;

use halfopen::Report;
use halfopen_mcp::{McpCallError, McpServer, connect_outcome, outcome};
use rmcp::ServiceError;
use rmcp::model::JsonObject;
use tokio::time::timeout;

use crate::sdks::{Sdk, with_session};
use crate::world::{ended, text};

const SHORT: Duration = Duration::from_millis(150);
/// Ends a test that would hang.
const LONG: Duration = Duration::from_secs(20);

/// A tool, and its answers in Python and in TypeScript.
type Answers = (&'static str, &'static str, &'static str);

/// The rows of the table in the README.
const ANSWERS: &[Answers] = &[
    ("slow", "slow", "slow"),
    ("prints", "printed", "printed"),
    ("is_error", "is_error: no such file", "is_error: no such file"),
    ("panics", "is_error: Error executing tool panics", "is_error: the tool is broken"),
    ("fails", "-32603", "is_error: MCP error -32603: the backend is down"),
    ("unknown", "is_error: Unknown tool: unknown", "is_error: MCP error -32602: Tool unknown not found"),
    (
        "numbers",
        "is_error: Error executing tool numbers",
        "is_error: MCP error -32602: Input validation error",
    ),
];

#[tokio::test]
async fn a_python_child_fails_as_documented_and_returns() {
    let Some(sdk) = Sdk::python() else { return };
    let server = sdk.child();
    let server = faults_of_tools(server, &sdk, |(tool, python, _)| (tool, python)).await;
    assert_eq!(server.breaker().snapshot().totals.failures, 1, "-32603");
    frozen_and_ended(server, "exits").await;
}

#[tokio::test]
async fn a_typescript_child_fails_as_documented_and_returns() {
    let Some(sdk) = Sdk::typescript() else { return };
    let server = sdk.child();
    let server = faults_of_tools(server, &sdk, |(tool, _, typescript)| (tool, typescript)).await;
    assert_eq!(server.breaker().snapshot().totals.failures, 0, "all of them are results");
    frozen_and_ended(server, "throws_outside").await;
}

#[tokio::test]
async fn a_python_server_over_http_returns() {
    let Some(sdk) = Sdk::python() else { return };
    frozen_and_restarted(&sdk, 503).await;
}

#[tokio::test]
async fn a_typescript_server_over_http_returns() {
    let Some(sdk) = Sdk::typescript() else { return };
    frozen_and_restarted(&sdk, 429).await;
}

#[tokio::test]
async fn a_session_that_is_lost_without_404_needs_a_probe() {
    let Some(sdk) = Sdk::typescript() else { return };
    let as_in_its_examples = [("UNKNOWN_SESSION", "400")];
    let (address, mut process) = sdk.http(&as_in_its_examples);
    let server = with_session(address);
    server.connect().await.unwrap();
    process.kill();
    let _restarted = sdk.http_at(address, &as_in_its_examples).expect("its port is free again");
    for _ in 0..3 {
        assert!(matches!(text(&server, "id").await, Err(McpCallError::Timeout(_))));
    }
    assert!(server.breaker().is_open());
    server.breaker().end_wait();
    let server = server.tool_timeout(LONG);
    assert!(text(&server, "id").await.is_ok(), "the probe has a client of its own");
    assert!(server.breaker().is_closed());
}

async fn faults_of_tools(
    server: McpServer,
    sdk: &Sdk,
    column: fn(Answers) -> (&'static str, &'static str),
) -> McpServer {
    let server = server.tool_timeout(LONG);
    for (tool, expected) in ANSWERS.iter().copied().map(column) {
        let answer = answer(&server, tool).await;
        assert!(answer.starts_with(expected), "{tool} of {}: {answer}", sdk.name);
    }
    assert_eq!(text(&server, "big").await.unwrap().len(), 1 << 20);
    server
}

/// Hangs, is frozen, ends in the middle of the call of a tool, and ends with its client.
async fn frozen_and_ended(server: McpServer, tool: &str) {
    let before = server.breaker().snapshot().totals.failures;
    let first = text(&server, "id").await.unwrap();
    let server = server.tool_timeout(SHORT);
    assert!(matches!(text(&server, "hangs").await, Err(McpCallError::Timeout(_))));
    signal("-STOP", &first);
    assert!(matches!(text(&server, "id").await, Err(McpCallError::Timeout(_))));
    signal("-CONT", &first);
    let server = server.tool_timeout(LONG);
    assert_eq!(text(&server, "id").await.unwrap(), first, "it is the same process");

    let error = text(&server, tool).await.unwrap_err();
    assert!(matches!(error, McpCallError::Call(ServiceError::TransportClosed)), "{error:?}");
    let second = text(&server, "id").await.unwrap();
    assert_ne!(second, first);
    assert_eq!(server.breaker().snapshot().totals.failures - before, 3);
    drop(server);
    assert!(timeout(LONG, ended(&first)).await.is_ok(), "a process that has ended is reaped");
    assert!(timeout(LONG, ended(&second)).await.is_ok(), "a process ends with its standard input");
}

/// Is frozen, ends in the middle of a call, is restarted without its sessions, and is overloaded.
async fn frozen_and_restarted(sdk: &Sdk, overload: u16) {
    let (address, mut process) = sdk.http(&[]);
    let server = with_session(address).tool_timeout(LONG);
    let first = text(&server, "id").await.unwrap();
    process.freeze();
    let server = server.tool_timeout(SHORT);
    for _ in 0..3 {
        assert!(matches!(text(&server, "id").await, Err(McpCallError::Timeout(_))));
    }
    assert!(server.breaker().is_open());
    process.thaw();
    server.breaker().end_wait();
    let server = server.tool_timeout(LONG);
    assert_eq!(text(&server, "id").await.unwrap(), first);

    let error = text(&server, "exits").await.unwrap_err();
    assert!(matches!(error, McpCallError::Call(_)) && !error.is_unsent(), "{error:?}");
    process.kill();
    let error = text(&server, "id").await.unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
    let _restarted = sdk.http_at(address, &[]).expect("its port is free again");
    assert!(server.breaker().is_closed());
    assert_ne!(text(&server, "id").await.unwrap(), first, "404 begins a new session");

    let values = [("status", overload.into()), ("retry_after", "7".into())];
    let arguments = values.map(|(key, value)| (key.to_owned(), value));
    server.call_tool("goes_down", arguments.into_iter().collect()).await.unwrap();
    let expected = Report::throttled().retry_after(Duration::from_secs(7));
    let Err(McpCallError::Call(error)) = text(&server, "id").await else { panic!("it is down") };
    assert_eq!(outcome(&error), expected);
    let Err(McpCallError::Connect(error)) = with_session(address).connect().await else {
        panic!("it is down")
    };
    assert_eq!(connect_outcome(&error), expected);
}

/// The text of an answer, or the code of an error.
async fn answer(server: &McpServer, tool: &str) -> String {
    match server.call_tool(tool, JsonObject::new()).await {
        Ok(result) => {
            let text = result.content[0].as_text().expect("a text").text.clone();
            if result.is_error == Some(true) { format!("is_error: {text}") } else { text }
        }
        Err(McpCallError::Call(ServiceError::McpError(error))) => error.code.0.to_string(),
        Err(other) => panic!("{tool}: {other:?}"),
    }
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().unwrap().success());
}
