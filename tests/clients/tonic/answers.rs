//! The position of the status in a response, and the outcome if there is no status.

use halfopen::State;
use tonic::Code;

use crate::peer::Peer;
use crate::shop::Open;
use crate::{SECOND, Scene, article};

/// Makes one unary call; returns the recorded outcome and the code that the caller received.
async fn count(peer: &Peer, cue: &str) -> (String, Code) {
    let scene = Scene::new();
    let answer = scene.cued(peer, cue).count(article("")).await;
    (scene.ended(), answer.map_or_else(|status| status.code(), |_| Code::Ok))
}

#[tokio::test]
async fn each_code_of_a_handler_counts_as_the_rules_say() {
    let shop = Open::shop().await;
    for (code, expected) in [
        (1, "failure"),
        (2, "failure"),
        (3, "success"),
        (4, "failure"),
        (5, "success"),
        (6, "success"),
        (7, "success"),
        (8, "failure"),
        (9, "success"),
        (10, "success"),
        (11, "success"),
        (12, "success"),
        (13, "failure"),
        (14, "failure"),
        (15, "failure"),
        (16, "success"),
    ] {
        let scene = Scene::new();
        let status = scene.client(shop.channel()).count(article(&format!("-/{code}"))).await.unwrap_err();
        assert_eq!((status.code(), scene.ended().as_str()), (Code::from(code), expected));
    }
}

#[tokio::test]
async fn the_rules_can_be_changed() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let rules = halfopen_http::GrpcClassify::from_mask(1 << 5).unwrap();
    let layered = tower::Layer::layer(&scene.layer().classify(rules), shop.channel());
    let mut client = crate::proto::inventory_client::InventoryClient::new(layered);
    client.count(article("-/5")).await.unwrap_err();
    client.count(article("-/14")).await.unwrap_err();
    assert_eq!(scene.ended(), "success failure");
}

#[tokio::test]
async fn a_unary_answer_succeeds_with_its_trailers() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    assert_eq!(scene.client(shop.channel()).count(article("3/0")).await.unwrap().into_inner().pieces, 3);
    assert_eq!(scene.ended(), "success");
}

#[tokio::test]
async fn trailers_after_a_message_decide() {
    let peer = Peer::start().await;
    assert_eq!(count(&peer, "unary/0").await, ("success".into(), Code::Ok));
    assert_eq!(count(&peer, "unary/14").await, ("failure".into(), Code::Unavailable));
    assert_eq!(count(&peer, "unary/5").await, ("success".into(), Code::NotFound));
}

#[tokio::test]
async fn an_answer_of_trailers_only_decides_at_its_head() {
    let peer = Peer::start().await;
    assert_eq!(count(&peer, "trailers-only/14").await, ("failure".into(), Code::Unavailable));
    assert_eq!(count(&peer, "trailers-only/5").await, ("success".into(), Code::NotFound));
}

#[tokio::test]
async fn a_status_that_cannot_be_read_is_unknown() {
    let peer = Peer::start().await;
    assert_eq!(count(&peer, "trailers-only/abc").await, ("failure".into(), Code::Unknown));
    assert_eq!(count(&peer, "unary/abc").await, ("failure".into(), Code::Unknown));
}

#[tokio::test]
async fn a_peer_without_grpc_is_judged_as_tonic_does() {
    let peer = Peer::start().await;
    for (status, expected, code) in [
        ("400", "failure", Code::Internal),
        ("401", "success", Code::Unauthenticated),
        ("403", "success", Code::PermissionDenied),
        ("404", "success", Code::Unimplemented),
        ("429", "failure", Code::Unavailable),
        ("500", "failure", Code::Unknown),
        ("503", "failure", Code::Unavailable),
    ] {
        assert_eq!(count(&peer, &format!("http/{status}")).await, (expected.into(), code), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_ends_without_a_status_is_a_failure() {
    let peer = Peer::start().await;
    assert_eq!(count(&peer, "no-trailers").await, ("failure".into(), Code::Unknown));
    assert_eq!(count(&peer, "cut-short").await.0, "failure");
}

#[tokio::test]
async fn any_reset_before_the_headers_is_a_failure() {
    let peer = Peer::start().await;
    for reason in ["cancel", "calm", "internal"] {
        assert_eq!(count(&peer, &format!("reset-at-once/{reason}")).await.0, "failure", "{reason}");
    }
}

#[tokio::test]
async fn any_reset_within_the_body_is_a_failure() {
    let peer = Peer::start().await;
    for reason in ["no-error", "cancel", "refused", "internal", "calm"] {
        let scene = Scene::new();
        let mut stream =
            scene.cued(&peer, &format!("reset/{reason}")).watch(article("")).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap().pieces, 3);
        peer.break_off();
        stream.message().await.unwrap_err();
        assert_eq!(scene.ended(), "failure", "{reason}");
    }
}

#[tokio::test]
async fn a_goaway_lets_the_call_end_and_reconnects() {
    let peer = Peer::start().await;
    let scene = Scene::new();
    let mut client = scene.cued(&peer, "reset/no-error");
    let mut stream = client.watch(article("")).await.unwrap().into_inner();
    stream.message().await.unwrap();
    peer.go_away();
    assert_eq!(scene.ended(), "");
    peer.break_off();
    stream.message().await.unwrap_err();
    assert_eq!(scene.ended(), "failure");

    let (shared, mut next) = (client.clone(), client);
    drop(shared);
    next.watch(article("")).await.unwrap().into_inner().message().await.unwrap();
    assert_eq!(scene.ended(), "failure ignored");
}

#[tokio::test]
async fn a_connection_that_breaks_fails_every_call_on_it() {
    let peer = Peer::start().await;
    let scene = Scene::new();
    let channel = peer.channel();
    let layered = tower::Layer::layer(&scene.layer(), channel);
    let client =
        |cue| crate::proto::inventory_client::InventoryClient::with_origin(layered.clone(), peer.origin(cue));
    let mut stream = client("stalled").watch(article("")).await.unwrap().into_inner();
    stream.message().await.unwrap();
    let mut other = client("stalled").watch(article("")).await.unwrap().into_inner();
    other.message().await.unwrap();
    peer.hang_up();
    stream.message().await.unwrap_err();
    other.message().await.unwrap_err();
    assert_eq!(scene.ended(), "failure failure");
}

/// tonic decodes the header with an `expect`, in the caller's task; the breaker has recorded the call by then.
#[tokio::test]
async fn bad_details_are_recorded_before_tonic_panics() {
    let peer = Peer::start().await;
    for (cue, expected) in
        [("details/%%%", "failure"), ("late-bad-details/5", "success"), ("late-bad-details/13", "failure")]
    {
        let scene = Scene::new();
        let mut client = scene.cued(&peer, cue);
        let caller = tokio::spawn(async move { client.count(article("")).await });
        assert!(caller.await.unwrap_err().is_panic(), "tonic no longer panics: this test has lost its point");
        assert_eq!(scene.ended(), expected, "{cue}");
    }
}

#[tokio::test]
async fn a_pushback_lengthens_the_wait_up_to_the_limit() {
    let peer = Peer::start().await;
    for (cue, wait) in [
        ("pushback/5000", 5),
        ("late-pushback/5000", 5),
        ("pushback/500", 1),  // never shorter
        ("pushback/-1", 1),   // "do not retry" is no wait
        ("pushback/soon", 1), // no number
        ("pushback/99999999", 30),
        // RetryInfo: 5 s
        ("details/GjAKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBAoCCAU", 5),
    ] {
        let scene =
            Scene::with(|config| config.trip(halfopen::Trip::consecutive_failures(1)).hint_max(30 * SECOND));
        scene.cued(&peer, cue).count(article("")).await.unwrap_err();
        let snapshot = scene.breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.retry_after), (State::Open, Some(wait * SECOND)), "{cue}");
    }
}
