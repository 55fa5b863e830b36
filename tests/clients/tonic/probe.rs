//! Half-open: when the outcome of a probe is recorded.

use halfopen::State;
use tonic::Code;

use crate::shop::Open;
use crate::{SECOND, Scene, article};

#[tokio::test]
async fn the_first_data_of_a_stream_settles_the_probe() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    scene.about_to_probe();
    let mut client = scene.client(shop.channel());
    let mut stream = client.watch(article("1/never")).await.unwrap().into_inner();
    assert_eq!(scene.breaker.state(), State::HalfOpen);
    stream.message().await.unwrap().unwrap();
    assert_eq!((scene.breaker.state(), scene.ended().as_str()), (State::Closed, "success"));
}

#[tokio::test]
async fn the_end_of_a_probes_stream_is_recorded() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    scene.about_to_probe();
    let mut stream = scene.client(shop.channel()).watch(article("2/14")).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    assert_eq!(scene.ended(), "success");
    stream.message().await.unwrap().unwrap();
    stream.message().await.unwrap_err();
    assert_eq!(scene.ended(), "success failure");
}

#[tokio::test]
async fn a_probe_answered_by_trailers_only_is_settled() {
    let shop = Open::shop().await;
    for (script, state) in [("-/14", State::Open), ("-/5", State::Closed), ("-/1", State::Open)] {
        let scene = Scene::new();
        scene.about_to_probe();
        scene.client(shop.channel()).watch(article(script)).await.unwrap_err();
        assert_eq!(scene.breaker.state(), state, "{script}");
    }
}

#[tokio::test]
async fn a_probe_of_an_empty_stream_is_settled_by_its_end() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    scene.about_to_probe();
    let mut stream = scene.client(shop.channel()).watch(article("0/14")).await.unwrap().into_inner();
    stream.message().await.unwrap_err();
    assert_eq!(scene.breaker.state(), State::Open);
}

#[tokio::test]
async fn a_dropped_probe_gives_its_slot_back() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    scene.about_to_probe();
    let mut client = scene.client(shop.channel());
    let silent = client.watch(article("0/never")).await.unwrap();
    let status = client.count(article("3/0")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(halfopen::rejection(&status).unwrap().reason(), halfopen::RejectReason::HalfOpenSaturated);

    drop(silent);
    client.count(article("3/0")).await.unwrap();
    assert_eq!(scene.breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_stream_that_lives_for_days_is_not_slow() {
    let shop = Open::shop().await;
    let scene =
        Scene::with(|config| config.trip(halfopen::Trip::slow_call_rate(1.0, SECOND).minimum_calls(1)));
    let mut stream = scene.client(shop.channel()).watch(article("1/0")).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    scene.hands.advance(100_000 * SECOND);
    assert!(stream.message().await.unwrap().is_none());
    let snapshot = scene.breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.totals.successes, snapshot.totals.slow), (State::Closed, 1, 0));
}
