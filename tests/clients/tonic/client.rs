use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use halfopen::{State, Trip, rejection};
use halfopen_tonic::ResilientGrpcClient;
use tonic::Code;

use crate::peer::Peer;
use crate::proto::inventory_client::InventoryClient;
use crate::shop::Open;
use crate::{SECOND, Scene, article};

async fn outcome(script: &str) -> String {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let client = ResilientGrpcClient::new(InventoryClient::new(shop.channel()), scene.breaker.clone());
    let _ = client.call(|mut client| async move { client.count(article(script)).await }).await;
    scene.ended()
}

#[tokio::test]
async fn a_status_of_the_server_is_judged_by_its_code() {
    assert_eq!(outcome("3/0").await, "success");
    assert_eq!(outcome("-/5").await, "success");
    assert_eq!(outcome("-/14").await, "failure");
    assert_eq!(outcome("-/1").await, "failure");
}

#[tokio::test]
async fn while_open_the_operation_is_not_started() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let client = ResilientGrpcClient::new(InventoryClient::new(shop.channel()), scene.breaker.clone());
    scene.breaker.trip();
    let started = AtomicBool::new(false);
    let called = client.call(|_| async {
        started.store(true, Ordering::Relaxed);
        Ok(())
    });
    let status = called.await.unwrap_err();
    assert!(!started.into_inner());
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(rejection(&status).unwrap().name(), "inventory");
}

#[tokio::test]
async fn timeouts_and_resets_are_failures_of_any_code() {
    let peer = Peer::start().await;
    for cue in ["silent", "reset-at-once/cancel"] {
        let scene = Scene::new();
        let bare = InventoryClient::with_origin(peer.channel(), peer.origin(cue));
        let client = ResilientGrpcClient::new(bare, scene.breaker.clone());
        let mut request = tonic::Request::new(article(""));
        request.set_timeout(Duration::from_millis(if cue == "silent" { 5 } else { 60_000 }));
        let call = client.call(|mut client| async move { client.count(request).await });
        assert_eq!(call.await.unwrap_err().code(), Code::Cancelled, "{cue}");
        assert_eq!(scene.ended(), "failure", "{cue}");
    }
}

#[tokio::test]
async fn pushback_and_retry_info_lengthen_the_wait() {
    let peer = Peer::start().await;
    for cue in [
        "pushback/5000",
        "late-pushback/5000",
        "details/GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCAU",
    ] {
        let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(1)));
        let bare = InventoryClient::with_origin(peer.channel(), peer.origin(cue));
        let client = ResilientGrpcClient::new(bare, scene.breaker.clone());
        client.call(|mut client| async move { client.count(article("")).await }).await.unwrap_err();
        let snapshot = scene.breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.retry_after), (State::Open, Some(5 * SECOND)), "{cue}");
    }
}

#[tokio::test]
async fn a_rejection_of_a_layer_below_is_ignored() {
    let shop = Open::shop().await;
    let (outer, inner) = (Scene::new(), Scene::new());
    inner.breaker.force_open();
    let client = ResilientGrpcClient::new(inner.client(shop.channel()), outer.breaker.clone());
    client.call(|mut client| async move { client.count(article("3/0")).await }).await.unwrap_err();
    assert_eq!(outer.ended(), "ignored");
}
