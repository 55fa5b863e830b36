//! Every way to send a command passes through the breaker.

use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use redis::{AsyncCommands, RedisResult, Script, pipe};
use test_support::redis::RedisServer;

use crate::world::{Guarded, client, commands, manager, multiplexed};

#[tokio::test]
async fn commands_pipelines_transactions_and_scripts_pass() -> RedisResult<()> {
    let Some(server) = RedisServer::start() else { return Ok(()) };
    let mut guarded = Guarded::to(&server).await;
    let connection = &mut guarded.connection;

    let () = connection.set("key", 7).await?;
    assert_eq!(connection.get::<_, i64>("key").await?, 7);
    let (sum, text): (i64, String) = pipe().incr("key", 1).get("key").query_async(connection).await?;
    assert_eq!((sum, text.as_str()), (8, "8"));
    let (sum,): (i64,) = pipe().atomic().incr("key", 1).query_async(connection).await?;
    assert_eq!(sum, 9);
    assert_eq!(guarded.ended(), "success success success success", "a pipeline is one call");
    Ok(())
}

#[tokio::test]
async fn a_script_loads_itself_after_a_flush() -> RedisResult<()> {
    let Some(server) = RedisServer::start() else { return Ok(()) };
    let mut guarded = Guarded::to(&server).await;
    let script = Script::new("return tonumber(ARGV[1]) + 1");
    for _ in 0..2 {
        server.forget_scripts();
        assert_eq!(script.arg(1).invoke_async::<i64>(&mut guarded.connection).await?, 2);
    }
    let each = "success success success";
    assert_eq!(guarded.ended(), format!("{each} {each}"), "NOSCRIPT, the load and the call again");
    Ok(())
}

#[tokio::test]
async fn an_open_breaker_sends_nothing() {
    let Some(server) = RedisServer::start() else { return };
    let mut guarded = Guarded::to(&server).await;
    guarded.breaker().force_open();
    server.command(&["CONFIG", "RESETSTAT"]);

    let error = guarded.connection.get::<_, Option<String>>("key").await.unwrap_err();
    assert_eq!(halfopen::rejection(&error).unwrap().name(), "cache");
    let error = pipe().get("key").query_async::<()>(&mut guarded.connection).await.unwrap_err();
    assert!(halfopen::rejection(&error).is_some(), "{error}");
    let error =
        guarded.connection.call(async |mut inner| inner.get::<_, i64>("key").await).await.unwrap_err();
    assert!(halfopen::rejection(&error).is_some(), "{error}");
    assert_eq!(commands(&server, "get"), 0);
}

#[tokio::test]
async fn clones_share_the_breaker() -> RedisResult<()> {
    let Some(server) = RedisServer::start() else { return Ok(()) };
    let guarded = Guarded::to(&server).await;
    for mut clone in [guarded.connection.clone(), guarded.connection.clone()] {
        let () = clone.set("key", 1).await?;
    }
    assert_eq!(guarded.ended(), "success success");
    Ok(())
}

#[tokio::test]
async fn a_manager_is_protected_from_the_first_connection() -> RedisResult<()> {
    let Some(server) = RedisServer::start() else { return Ok(()) };
    let mut guarded = Guarded::new(manager(server.url()));
    let () = guarded.connection.set("key", 1).await?;
    assert_eq!(guarded.ended(), "success");
    Ok(())
}

#[tokio::test]
async fn a_cluster_connection_is_protected() -> RedisResult<()> {
    let Some(server) = RedisServer::with(&["--cluster-enabled", "yes"]) else { return Ok(()) };
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    while !server.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {}
    let client = redis::cluster::ClusterClient::new(vec![server.url()])?;
    let mut guarded = Guarded::new(client.get_async_connection().await?);
    let () = guarded.connection.set("key", 1).await?;
    assert_eq!(guarded.connection.get::<_, i64>("key").await?, 1);
    assert_eq!(guarded.ended(), "success success");
    Ok(())
}

#[tokio::test]
async fn a_dropped_command_is_abandoned() {
    let Some(server) = RedisServer::start() else { return };
    let mut guarded = Guarded::to(&server).await;
    server.freeze();
    {
        let mut command = pin!(guarded.connection.get::<_, Option<String>>("key"));
        assert!(command.as_mut().now_or_never().is_none(), "the server is frozen");
    }
    assert_eq!(guarded.ended(), "abandoned");
}

#[tokio::test]
async fn a_blocking_command_waits_without_a_limit() -> RedisResult<()> {
    let Some(server) = RedisServer::start() else { return Ok(()) };
    let guarded = Guarded::to(&server).await;
    let limited = guarded.connection.clone().call_timeout(Duration::from_millis(1));
    let error = limited.clone().blpop::<_, (String, String)>("jobs", 20.0).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    // The command on the old connection still waits, and would take the first job.
    let mut patient = Guarded::to(&server).await.connection.without_call_timeout();
    server.command(&["RPUSH", "jobs", "first", "second"]);
    assert_eq!(
        patient.blpop::<_, (String, String)>("jobs", 20.0).await?.1,
        "second",
        "the first job is lost"
    );
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_ends_by_itself_is_a_failure() -> RedisResult<()> {
    let Some(mut server) = RedisServer::start() else { return Ok(()) };
    let guarded = Guarded::to(&server).await;
    let client = client(&server);
    let mut subscription = guarded.connection.call(async |_| client.get_async_pubsub().await).await?;
    subscription.subscribe("news").await?;
    let mut messages = guarded.connection.messages(subscription.into_on_message());
    server.command(&["PUBLISH", "news", "all is well"]);
    assert_eq!(messages.next().await.unwrap().get_payload::<String>()?, "all is well");

    server.kill();
    assert!(messages.next().await.is_none());
    assert!(messages.next().await.is_none());
    assert_eq!(guarded.ended(), "success failure");
    drop(guarded.connection.messages(futures_util::stream::pending::<()>()));
    assert_eq!(guarded.ended(), "success failure", "a dropped stream is no outcome");
    Ok(())
}

#[tokio::test]
async fn a_panic_in_a_call_is_a_failure() {
    let Some(server) = RedisServer::start() else { return };
    let guarded = Guarded::new(multiplexed(&server).await);
    let connection = guarded.connection.clone();
    let panicking =
        async move { connection.call(async |_| -> RedisResult<()> { panic!("as intended") }).await };
    assert!(tokio::spawn(panicking).await.unwrap_err().is_panic());
    assert_eq!(guarded.ended(), "failure");
}
