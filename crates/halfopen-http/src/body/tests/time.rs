//! The duration of a call.

use halfopen::Trip;
use http::Response;

use super::scene::{SECOND, Scene, data, status, trailers};
use crate::GrpcClassify;

#[test]
fn the_time_of_a_call_ends_with_its_first_data() {
    let scene = Scene::with(|config| config.trip(Trip::slow_call_rate(1.0, 10 * SECOND)));
    let mut body = scene.grpc([data(), status("0")]);
    scene.hands.advance(SECOND);
    body.read();
    scene.hands.advance(60 * SECOND);
    body.read();

    let totals = scene.breaker.snapshot().totals;
    assert_eq!((totals.successes, totals.slow, totals.response_time), (1, 0, SECOND));
}

#[test]
fn a_failure_with_a_hint_keeps_its_first_data_time() {
    let scene = Scene::with(|config| config.trip(Trip::slow_call_rate(1.0, 10 * SECOND)));
    let mut body = scene.grpc([data(), trailers(&[("grpc-status", "14"), ("retry-after", "9")])]);
    scene.hands.advance(SECOND);
    body.read();
    scene.hands.advance(60 * SECOND);
    body.read();

    let totals = scene.breaker.snapshot().totals;
    assert_eq!((totals.failures, totals.slow, totals.response_time), (1, 0, SECOND));
}

#[test]
fn it_can_be_measured_to_the_end() {
    let scene = Scene::with(|config| config.trip(Trip::slow_call_rate(1.0, 10 * SECOND)));
    let call = scene.call().measure_to_end();
    let mut body = scene.answer(call, &GrpcClassify::new(), Response::builder(), [data(), status("0")]);
    body.read();
    scene.hands.advance(60 * SECOND);
    body.read();
    assert_eq!(scene.breaker.snapshot().totals.slow, 1);
}

#[test]
fn what_needs_no_time_reads_none() {
    let scene = Scene::new();
    let mut body = scene.grpc([data(), status("0")]);
    body.read();
    body.read();
    assert_eq!(scene.breaker.snapshot().totals.timed, 0);
}
