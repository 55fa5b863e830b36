//! Servers that exit, are killed, frozen and restarted.

use std::time::Duration;

use halfopen_mcp::{ChildProcess, ConnectError, McpCallError, McpServer, StreamableHttp};

use crate::world::{child, ended, http_server, http_server_at, short, text};

#[tokio::test]
async fn a_child_that_exits_is_started_again() {
    let server = child().tool_timeout(Duration::from_secs(5));
    let first = text(&server, "id").await.unwrap();
    let error = text(&server, "exits").await.unwrap_err();
    assert!(matches!(error, McpCallError::Call(_)), "{error:?}");
    let second = text(&server, "id").await.unwrap();
    assert_ne!(first, second, "it is another process");
    let totals = server.breaker().snapshot().totals;
    assert_eq!((totals.successes, totals.failures), (2, 1));
}

#[tokio::test]
async fn a_program_that_does_not_exist_opens_nothing() {
    let server = short(McpServer::new("missing", ChildProcess::new("/no/such/program", [""; 0])));
    for _ in 0..5 {
        let error = text(&server, "id").await.unwrap_err();
        assert!(matches!(error, McpCallError::Connect(ConnectError::Spawn(_))) && error.is_unsent());
    }
    assert_eq!(server.breaker().snapshot().totals.ignored, 5);
}

#[tokio::test]
async fn a_program_that_is_no_server_is_an_outage() {
    let server = short(McpServer::new("true", ChildProcess::new("true", [""; 0])));
    for _ in 0..3 {
        let error = text(&server, "id").await.unwrap_err();
        assert!(matches!(error, McpCallError::Connect(ConnectError::Initialize(_))), "{error:?}");
    }
    assert!(server.breaker().is_open());
}

#[tokio::test]
async fn a_server_over_http_recovers_after_a_restart() {
    let (address, mut process) = http_server();
    let server = short(McpServer::new("http", StreamableHttp::new(format!("http://{address}/"))));
    let server = server.tool_timeout(Duration::from_secs(2));
    let first = text(&server, "id").await.unwrap();

    process.kill();
    for _ in 0..3 {
        text(&server, "id").await.unwrap_err();
    }
    assert!(server.breaker().is_open());
    assert!(text(&server, "id").await.unwrap_err().rejected().is_some());

    let _restarted = http_server_at(address).expect("its port is free again");
    server.breaker().end_wait();
    assert_ne!(text(&server, "id").await.unwrap(), first);
    assert!(server.breaker().is_closed());
}

#[tokio::test]
async fn a_frozen_server_over_http_ends_in_timeouts() {
    let (address, process) = http_server();
    let server = short(McpServer::new("http", StreamableHttp::new(format!("http://{address}/"))));
    assert!(text(&server, "id").await.is_ok());
    process.freeze();
    for _ in 0..3 {
        assert!(matches!(text(&server, "id").await, Err(McpCallError::Timeout(_))));
    }
    assert!(server.breaker().is_open());
    process.thaw();
    server.breaker().end_wait();
    assert!(text(&server.tool_timeout(Duration::from_secs(5)), "id").await.is_ok());
}

#[tokio::test]
async fn a_child_that_never_answers_is_ended() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("id");
    let script = r#"echo $$ >"$0.new"; mv "$0.new" "$0"; exec sleep 1000"#;
    let arguments = ["-c".into(), script.into(), file.clone().into_os_string()];
    let server = short(McpServer::new("silent", ChildProcess::new("sh", arguments)));
    let server = server.connect_timeout(Duration::from_millis(300));
    let error = text(&server, "id").await.unwrap_err();
    assert!(matches!(error, McpCallError::Connect(ConnectError::Timeout(_))), "{error:?}");
    let id = std::fs::read_to_string(file).unwrap();
    ended(id.trim()).await;
}

#[test]
fn a_call_is_dropped_outside_of_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = short(McpServer::new("silent", ChildProcess::new("sleep", ["1000"])));
    let mut call = Box::pin(text(&server, "id"));
    let some_polls = async { tokio::time::timeout(Duration::from_millis(20), &mut call).await.is_err() };
    assert!(runtime.block_on(some_polls), "it connects");
    // The transport of rmcp spawns a task in its drop, which panics without a runtime.
    drop(call);
    assert_eq!(server.breaker().snapshot().totals.abandoned, 1);
}
