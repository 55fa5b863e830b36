//! A server that is frozen, killed and restarted.

use std::error::Error;
use std::time::Duration;

use halfopen::adapter::error_chain;
use halfopen_redis::{NoReply, ProtectedConnection};
use redis::AsyncCommands;
use redis::aio::ConnectionManager;
use test_support::redis::RedisServer;

use crate::world::{Guarded, client, commands, manager};

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_frozen_server_costs_the_call_timeout_and_opens() {
    let Some(server) = RedisServer::start() else { return };
    let guarded = Guarded::to(&server).await;
    let mut connection = guarded.connection.clone().call_timeout(SHORT);
    server.freeze();
    for _ in 0..3 {
        let error = connection.set::<_, _, ()>("key", 1).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(no_reply(&error), Some(SHORT));
    }
    assert!(guarded.breaker().is_open());
    assert_eq!(guarded.ended(), "failure failure failure");
    let rejected = halfopen::rejection(&connection.get::<_, i64>("key").await.unwrap_err()).unwrap().clone();
    assert_eq!(rejected.last_error(), Some("no reply within 20ms"));

    server.thaw();
    guarded.hands.advance(Duration::from_secs(1));
    let written: i64 = guarded.connection.clone().get("key").await.unwrap();
    assert_eq!(written, 1, "a write that timed out was made");
    assert!(guarded.breaker().is_closed());
}

#[tokio::test]
async fn the_clients_retries_end_with_the_call_timeout() {
    let Some(mut server) = RedisServer::start() else { return };
    // With its defaults a manager retries for 9.5 s.
    let manager = ConnectionManager::new(client(&server)).await.unwrap();
    let guarded = Guarded::new(manager);
    let mut connection: ProtectedConnection<_> = guarded.connection.clone().call_timeout(SHORT);
    server.kill();
    let first = connection.get::<_, Option<String>>("key").await.unwrap_err();
    assert!(first.is_connection_dropped(), "{first}");
    for _ in 0..2 {
        let error = connection.get::<_, Option<String>>("key").await.unwrap_err();
        assert_eq!(no_reply(&error), Some(SHORT), "{error}");
    }
    assert!(guarded.breaker().is_open());
}

#[tokio::test]
async fn killing_and_restarting_a_server_opens_and_closes() {
    let Some(mut server) = RedisServer::start() else { return };
    let mut guarded = Guarded::new(manager(server.url()));
    let () = guarded.connection.set("key", 1).await.unwrap();
    server.kill();
    while guarded.breaker().is_closed() {
        guarded.connection.get::<_, Option<String>>("key").await.unwrap_err();
    }
    assert_eq!(guarded.ended(), "success failure failure failure");

    server.restart();
    server.command(&["CONFIG", "RESETSTAT"]);
    guarded.connection.get::<_, Option<String>>("key").await.unwrap_err();
    assert_eq!(commands(&server, "get"), 0, "rejected until the wait is over");
    guarded.hands.advance(Duration::from_secs(1));
    // A client may have stored an error from before the restart: one probe may fail.
    while guarded.breaker().is_half_open() {
        let _ = guarded.connection.get::<_, Option<String>>("key").await;
    }
    assert!(guarded.breaker().is_closed(), "{}", guarded.breaker().explain());
    assert_eq!(guarded.connection.get::<_, Option<String>>("key").await, Ok(None));
}

#[tokio::test]
async fn a_server_that_was_never_there_is_a_failure() {
    let address = test_support::server::free_address();
    let mut guarded = Guarded::new(manager(format!("redis://{address}/")));
    let error = guarded.connection.get::<_, Option<String>>("key").await.unwrap_err();
    assert!(error.is_connection_refusal(), "{error}");
    assert_eq!(guarded.ended(), "failure");
}

fn no_reply(error: &(dyn Error + 'static)) -> Option<Duration> {
    error_chain(error).find_map(|cause| cause.downcast_ref::<NoReply>()).map(NoReply::limit)
}
