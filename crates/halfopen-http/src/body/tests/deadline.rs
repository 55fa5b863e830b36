//! The deadline of the request decides the outcome of a dropped call.

use std::time::Duration;

use halfopen::Outcome;
use http::Response;

use super::scene::{SECOND, Scene, Step, data, status};
use crate::{GrpcClassify, GrpcCode};

#[test]
fn a_drop_is_a_failure_only_after_the_deadline() {
    for (waited, expected) in [(SECOND, "failure"), (SECOND - Duration::from_nanos(1), "ignored")] {
        let scene = Scene::new();
        let call = scene.call().timeout(SECOND);
        let mut body = scene.answer(call, &GrpcClassify::new(), Response::builder(), [data(), Step::Pending]);
        body.read();
        body.read();
        scene.hands.advance(waited);
        drop(body);
        assert_eq!(scene.ended(), expected);
    }
}

#[test]
fn a_call_dropped_before_its_head_has_its_deadline() {
    let scene = Scene::new();
    drop(scene.call());
    assert_eq!(scene.ended(), "abandoned");

    let scene = Scene::new();
    let call = scene.call().timeout(SECOND);
    scene.hands.advance(SECOND);
    drop(call);
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn cancelled_that_is_ignored_fails_after_the_deadline() {
    let rules = GrpcClassify::new().rule(GrpcCode::Cancelled, Outcome::Ignored).unwrap();
    for (waited, expected) in [(SECOND, "failure"), (Duration::ZERO, "ignored")] {
        let scene = Scene::new();
        let call = scene.call().timeout(SECOND);
        scene.hands.advance(waited);
        let head = Response::builder().header("grpc-status", "1");
        drop(scene.answer(call, &rules, head, []));
        assert_eq!(scene.ended(), expected);

        let scene = Scene::new();
        let call = scene.call().timeout(SECOND);
        let script = [data(), status("1")];
        let mut body = scene.answer(call, &rules, Response::builder(), script);
        body.read();
        scene.hands.advance(waited);
        body.read();
        assert_eq!(scene.ended(), expected);
    }
}

#[test]
fn a_good_answer_after_the_deadline_is_still_good() {
    let scene = Scene::new();
    let call = scene.call().timeout(SECOND);
    scene.hands.advance(2 * SECOND);
    let mut body = scene.answer(call, &GrpcClassify::new(), Response::builder(), [data(), status("0")]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_deadline_that_never_comes_does_not_overflow() {
    let scene = Scene::new();
    let call = scene.call().timeout(Duration::MAX);
    assert!(!call.timed_out());
    drop(call);
    assert_eq!(scene.ended(), "abandoned");
}
