//! gRPC calls are recorded by the status in their trailers.

use halfopen::{Outcome, Trip};
use http::Response;

use super::scene::{SECOND, Scene, Script, Step, broken, data, status, trailers};
use crate::{GrpcClassify, GrpcCode};

#[test]
fn a_unary_answer_is_recorded_at_its_trailers() {
    let scene = Scene::new();
    let mut body = scene.grpc([data(), status("0")]);
    body.read();
    assert_eq!(scene.ended(), "");
    body.read();
    assert_eq!(scene.ended(), "success");
    drop(body);
    assert_eq!(scene.ended(), "success");
}

#[test]
fn every_code_in_trailers_follows_the_rules() {
    for code in GrpcCode::ALL {
        let scene = Scene::new();
        let mut body = scene.grpc([data(), status(&(code as u8).to_string())]);
        body.read();
        body.read();
        let outcome = GrpcClassify::new().outcome(code);
        let expected = if outcome.is_failure() { "failure" } else { "success" };
        assert_eq!(scene.ended(), expected, "{code:?}");
        let throttled = u64::from(outcome == Outcome::Throttled);
        assert_eq!(scene.breaker.snapshot().totals.throttled, throttled, "{code:?}");
    }
}

#[test]
fn a_status_in_the_head_needs_no_body() {
    for (code, expected) in [("5", "success"), ("14", "failure"), ("1", "failure"), ("abc", "failure")] {
        let scene = Scene::new();
        let head = Response::builder().header("grpc-status", code);
        let body = scene.finish(&GrpcClassify::new(), head, Script::of([]).of_known_length());
        assert!(!body.is_watched());
        assert_eq!(scene.ended(), expected, "{code}");
    }
}

#[test]
fn a_proxys_503_needs_no_body() {
    let scene = Scene::new();
    drop(scene.finish(&GrpcClassify::new(), Response::builder().status(503), Script::of([data()])));
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn an_empty_answer_without_a_status_is_a_failure() {
    let scene = Scene::new();
    drop(scene.finish(&GrpcClassify::new(), Response::builder(), Script::of([]).of_known_length()));
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn an_end_without_trailers_is_a_failure() {
    let scene = Scene::new();
    let mut body = scene.grpc([data()]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn the_last_byte_of_a_known_length_ends_the_call() {
    let scene = Scene::new();
    let script = Script::of([data()]).of_known_length();
    let mut body = scene.finish(&GrpcClassify::new(), Response::builder(), script);
    body.read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn trailers_without_a_valid_status_are_a_failure() {
    for bad in [trailers(&[]), trailers(&[("grpc-message", "hi")]), status("abc"), status("17")] {
        let scene = Scene::new();
        let mut body = scene.grpc([data(), bad]);
        body.read();
        body.read();
        assert_eq!(scene.ended(), "failure");
    }
}

#[test]
fn details_that_are_not_base64_are_not_looked_at() {
    let scene = Scene::new();
    let mut body =
        scene.grpc([data(), trailers(&[("grpc-status", "5"), ("grpc-status-details-bin", "%%%")])]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_broken_stream_is_a_failure() {
    let scene = Scene::new();
    let mut body = scene.grpc([data(), broken()]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_pushback_in_the_trailers_lengthens_the_wait() {
    let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(1)).open_duration(SECOND));
    let pushback = trailers(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", "45000")]);
    let mut body = scene.grpc([data(), pushback]);
    body.read();
    body.read();
    assert_eq!(scene.breaker.snapshot().retry_after, Some(45 * SECOND));
}

#[test]
fn an_exhausted_resource_is_throttled_with_its_hint() {
    let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(1)).open_duration(SECOND));
    let mut body = scene.grpc([data(), trailers(&[("grpc-status", "8"), ("retry-after", "45")])]);
    body.read();
    body.read();
    let snapshot = scene.breaker.snapshot();
    assert_eq!((snapshot.retry_after, snapshot.totals.throttled), (Some(45 * SECOND), 1));
}

#[test]
fn a_subscriber_that_leaves_says_nothing() {
    let scene = Scene::new();
    let mut body = scene.grpc([data(), Step::Pending]);
    body.read();
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "ignored");
}

#[test]
fn a_drop_before_any_data_is_an_abandonment() {
    let scene = Scene::new();
    let mut body = scene.grpc([Step::Pending]);
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "abandoned");
}
