//! Requests and publishes of core NATS.

use std::net::TcpListener;
use std::pin::pin;

use async_nats::client::{PublishErrorKind, RequestErrorKind};
use async_nats::{Client, ConnectErrorKind, ConnectOptions};
use futures_util::{FutureExt, StreamExt};
use halfopen::{Outcome, State};
use halfopen_nats::{NatsClassify, NoReply, ProtectedClient, Receipts};
use test_support::breaker::{about_to_probe, ended};
use test_support::nats::NatsServer;

use crate::world::{LONG, SHORT, breaker, closed, until};

async fn connect(server: &NatsServer) -> Client {
    // A client that looks for its server often, so that the tests do not wait for it.
    let options = ConnectOptions::new().reconnect_delay_callback(|_| SHORT / 10);
    options.connect(server.address().to_string()).await.unwrap()
}

fn cause<E: std::error::Error>(error: &E) -> Option<&NoReply> {
    error.source()?.downcast_ref()
}

#[tokio::test]
async fn a_killed_server_opens_the_breaker_until_it_is_back() {
    let Some(mut server) = NatsServer::start() else { return };
    let (breaker, hands) = breaker();
    let client = ProtectedClient::new(connect(&server).await, breaker.clone());
    client.clone().call_timeout(LONG).publish("orders", "1".into()).await.unwrap();

    server.kill();
    // The first can still be written to a connection whose end has not been read.
    until(async || match client.clone().call_timeout(SHORT).publish("orders", "2".into()).await {
        Err(error) if halfopen::rejection(&error).is_some() => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(breaker.state(), State::Open);

    server.restart();
    hands.advance_to_probe(&breaker);
    client.clone().call_timeout(LONG).publish("orders", "3".into()).await.unwrap();
    assert_eq!(breaker.state(), State::Closed, "{}", ended(&breaker));
}

#[tokio::test]
async fn a_frozen_server_does_not_close_the_breaker() {
    let Some(server) = NatsServer::start() else { return };
    let (breaker, hands) = breaker();
    let client = ProtectedClient::new(connect(&server).await, breaker.clone()).call_timeout(SHORT);
    server.freeze();

    about_to_probe(&breaker, &hands);
    let error = client.publish("orders", "1".into()).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Send);
    assert_eq!(cause(&error).unwrap().limit(), SHORT);
    assert_eq!((breaker.state(), &*ended(&breaker)), (State::Open, "failure"), "a probe has a receipt");

    about_to_probe(&breaker, &hands);
    client.clone().receipts(Receipts::Never).publish("orders", "2".into()).await.unwrap();
    assert_eq!(breaker.state(), State::Closed, "written to the connection, which is all it asks for");

    server.thaw();
    let always = client.call_timeout(LONG).receipts(Receipts::Always);
    always.publish("orders", "3".into()).await.unwrap();
    assert_eq!(ended(&breaker), "success success failure");
}

#[tokio::test]
async fn a_request_without_a_responder_fails_unless_it_may() {
    let Some(server) = NatsServer::start() else { return };
    let breaker = closed();
    let client = ProtectedClient::new(connect(&server).await, breaker.clone()).call_timeout(LONG);
    let error = client.request("prices", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::NoResponders);

    let optional = client.clone().classify(NatsClassify::new().no_responders(Outcome::Ignored));
    optional.request("prices", "".into()).await.unwrap_err();
    assert_eq!(ended(&breaker), "failure ignored");
}

#[tokio::test]
async fn a_deaf_service_is_a_failure() {
    let Some(server) = NatsServer::start() else { return };
    let service = connect(&server).await;
    let _deaf = service.subscribe("deaf").await.unwrap();
    let mut requests = service.subscribe("prices").await.unwrap();
    service.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            service.publish(request.reply.unwrap(), "12".into()).await.unwrap();
        }
    });
    let breaker = closed();
    let client = ProtectedClient::new(connect(&server).await, breaker.clone());

    let error = client.clone().call_timeout(SHORT).request("deaf", "".into()).await.unwrap_err();
    assert_eq!((error.kind(), cause(&error).unwrap().limit()), (RequestErrorKind::TimedOut, SHORT));
    let price = client.call_timeout(LONG).request("prices", "".into()).await.unwrap();
    assert_eq!((&*price.payload, &*ended(&breaker)), (&b"12"[..], "success failure"));
}

#[tokio::test]
async fn what_the_caller_does_wrong_is_ignored() {
    let Some(server) = NatsServer::with("max_payload: 1024") else { return };
    let breaker = closed();
    let client = ProtectedClient::new(connect(&server).await, breaker.clone()).call_timeout(LONG);
    let large = bytes::Bytes::from(vec![0; 1025]);

    let error = client.publish("orders", large.clone()).await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::MaxPayloadExceeded);
    let error = client.request("orders", large).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::MaxPayloadExceeded);
    for subject in ["", "two words"] {
        let error = client.publish(subject, "".into()).await.unwrap_err();
        assert_eq!(error.kind(), PublishErrorKind::InvalidSubject, "{subject:?}");
        let error = client.request(subject, "".into()).await.unwrap_err();
        assert_eq!(error.kind(), RequestErrorKind::InvalidSubject, "{subject:?}");
    }
    assert_eq!(ended(&breaker), "ignored ignored ignored ignored ignored ignored");
}

#[tokio::test]
async fn a_denied_permission_is_a_call_without_a_reply() {
    let denied =
        r#"authorization { users: [{ user: a, password: b, permissions: { publish: ["allowed"] } }] }"#;
    let Some(server) = NatsServer::with(denied) else { return };
    let options = ConnectOptions::with_user_and_password("a".to_owned(), "b".to_owned());
    let client = options.connect(server.address().to_string()).await.unwrap();
    let breaker = closed();
    let client = ProtectedClient::new(client, breaker.clone()).call_timeout(SHORT);

    let error = client.request("secret", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::TimedOut, "the server's refusal is in its events only");
    client.clone().receipts(Receipts::Always).publish("allowed", "".into()).await.unwrap_err();
    client.receipts(Receipts::Never).publish("allowed", "".into()).await.unwrap();
    assert_eq!(ended(&breaker), "success failure failure", "a receipt needs the inboxes");
}

#[tokio::test]
async fn a_client_that_has_given_up_is_a_failure() {
    let Some(mut server) = NatsServer::start() else { return };
    let options = ConnectOptions::new().max_reconnects(1).reconnect_delay_callback(|_| SHORT / 10);
    let client = options.connect(server.address().to_string()).await.unwrap();
    let breaker = closed();
    let client = ProtectedClient::new(client, breaker.clone()).call_timeout(LONG);
    server.kill();
    let dead = async || match client.inner().flush().await {
        Err(error) if error.kind() == async_nats::client::FlushErrorKind::SendError => Ok(()),
        other => Err(other),
    };
    until(dead).await;

    assert_eq!(client.publish("orders", "".into()).await.unwrap_err().kind(), PublishErrorKind::Send);
    assert_eq!(client.request("orders", "".into()).await.unwrap_err().kind(), RequestErrorKind::Other);
    client.call(async |client| client.subscribe("orders").await).await.unwrap_err();
    assert_eq!(ended(&breaker), "failure failure failure");
}

#[tokio::test]
async fn a_silent_listener_ends_with_the_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let error = ConnectOptions::new().connection_timeout(SHORT).connect(&address).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::TimedOut);
    assert_eq!(halfopen_nats::outcome(&error), Outcome::Failure);

    let client = ConnectOptions::new().retry_on_initial_connect().connect(&address).await.unwrap();
    let breaker = closed();
    let client = ProtectedClient::new(client, breaker.clone()).call_timeout(SHORT);
    client.publish("orders", "".into()).await.unwrap_err();
    client.request("orders", "".into()).await.unwrap_err();
    assert_eq!(ended(&breaker), "failure failure");
}

#[tokio::test]
async fn a_dropped_call_is_abandoned_and_frees_its_probe() {
    let Some(server) = NatsServer::start() else { return };
    let (breaker, hands) = breaker();
    let client = ProtectedClient::new(connect(&server).await, breaker.clone()).call_timeout(LONG);
    server.freeze();
    about_to_probe(&breaker, &hands);

    // Dropped before its first poll, it is no call.
    drop(client.publish("orders", "".into()));
    assert_eq!(breaker.snapshot().totals.abandoned, 0);
    for expected in 1..=3 {
        let mut publish = pin!(client.publish("orders", "".into()));
        for _ in 0..expected {
            assert!((&mut publish).now_or_never().is_none(), "its receipt does not come");
            tokio::task::yield_now().await;
        }
        assert!(breaker.is_rejecting(), "it has the only probe");
        publish.set(client.publish("orders", "".into()));
        assert_eq!(breaker.snapshot().totals.abandoned, expected);
        assert!(breaker.is_permitting());
    }
}

#[tokio::test]
async fn clones_in_many_tasks_share_one_breaker() {
    let Some(server) = NatsServer::start() else { return };
    let watcher = connect(&server).await;
    let mut seen = watcher.subscribe("orders").await.unwrap();
    watcher.flush().await.unwrap();
    let breaker = closed();
    let client = ProtectedClient::new(connect(&server).await, breaker.clone()).call_timeout(LONG);
    let tasks = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.publish("orders", "".into()).await })
    });
    for task in futures_util::future::join_all(tasks).await {
        task.unwrap().unwrap();
    }
    for _ in 0..50 {
        seen.next().await.unwrap();
    }
    assert_eq!(breaker.snapshot().totals.successes, 50);
}
