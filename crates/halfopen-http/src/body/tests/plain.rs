//! Plain HTTP calls are recorded at the head, or at the end of the body.

use std::any::Any;
use std::io;

use halfopen::{Abandoned, BoxError, Outcome, Trip};
use http::Response;

use super::scene::{SECOND, Scene, Script, Step, broken, data, rejection, trailers};
use crate::{HttpClassify, WatchedCall};

#[test]
fn a_good_head_waits_for_the_body() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data()]);
    assert_eq!(scene.ended(), "");

    body.read();
    assert_eq!(scene.ended(), "");
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_failing_status_is_recorded_at_the_head() {
    let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(1)).open_duration(SECOND));
    let response = Response::builder().status(503).header("retry-after", "30");
    let body = scene.finish(&HttpClassify::new(), response, Script::of([data()]));

    assert!(!body.is_watched());
    assert_eq!(scene.ended(), "failure");
    let snapshot = scene.breaker.snapshot();
    assert_eq!((snapshot.retry_after, snapshot.totals.throttled), (Some(30 * SECOND), 1));
}

#[test]
fn an_answer_without_a_body_is_recorded_at_the_head() {
    let scene = Scene::new();
    drop(scene.finish(&HttpClassify::new(), Response::builder(), Script::of([]).of_known_length()));
    assert_eq!(scene.ended(), "success");
}

#[test]
fn an_ignored_status_is_ignored_at_the_head() {
    let scene = Scene::new();
    let rules = HttpClassify::new().rule(429..=429, Outcome::Ignored).unwrap();
    drop(scene.finish(&rules, Response::builder().status(429), Script::of([data()])));
    assert_eq!(scene.ended(), "ignored");
}

#[test]
fn the_last_byte_of_a_known_length_is_the_end() {
    let scene = Scene::new();
    let script = Script::of([data(), data()]).of_known_length();
    let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);

    body.read();
    assert_eq!(scene.ended(), "");
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn trailers_end_a_plain_body_well() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data(), trailers(&[("checksum", "1")])]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_broken_body_is_a_failure() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data(), broken()]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_rejection_by_a_breaker_further_in_is_ignored() {
    let scene = Scene::new();
    let mut body = scene.http(200, [Step::Error(io::Error::other(rejection()).into())]);
    body.read();
    assert_eq!(scene.ended(), "ignored");
}

#[test]
fn an_adapter_judges_its_body_errors_first() {
    fn judge(error: &dyn Any) -> Option<Outcome> {
        let cancelled =
            error.downcast_ref::<BoxError>().is_some_and(|error| error.to_string() == "cancelled");
        cancelled.then_some(Outcome::Ignored)
    }
    for (error, expected) in [("cancelled", "ignored"), ("broken", "failure")] {
        let scene = Scene::new();
        let call = WatchedCall::new(scene.breaker.try_acquire_owned().unwrap()).body_errors(judge);
        let body = Script::of([Step::Error(error.into())]);
        let answer = call.finish(&HttpClassify::new(), Ok::<_, BoxError>(Response::new(body)));
        answer.unwrap().into_body().read();
        assert_eq!(scene.ended(), expected);
    }
}

#[test]
fn an_adapter_that_panics_over_an_error_has_no_answer() {
    let scene = Scene::new();
    let call = WatchedCall::new(scene.breaker.try_acquire_owned().unwrap());
    let call = call.body_errors(|_| panic!("in the adapter"));
    let answer = call.finish(&HttpClassify::new(), Ok::<_, BoxError>(Response::new(Script::of([broken()]))));
    answer.unwrap().into_body().read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_reader_that_stops_is_content() {
    let scene = Scene::new();
    drop(scene.http(200, [data()]));
    assert_eq!(scene.ended(), "success");

    let scene = Scene::new();
    let mut body = scene.http(200, [data(), data()]);
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_reader_that_was_waiting_gave_up() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data(), Step::Pending]);
    body.read();
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "abandoned");
}

#[test]
fn giving_up_can_be_set_to_be_a_failure() {
    let scene = Scene::with(|config| config.abandoned(Abandoned::FailureAfter(5 * SECOND)));
    let mut body = scene.http(200, [Step::Pending]);
    body.read();
    scene.hands.advance(5 * SECOND);
    drop(body);
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn what_was_waited_for_and_came_is_no_giving_up() {
    let scene = Scene::new();
    let mut body = scene.http(200, [Step::Pending, data(), data()]);
    body.read();
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "success");
}
