//! A stream does not hold the slot of a probe.

use halfopen::{HalfOpen, State};
use http::Response;

use super::scene::{Scene, Script, Step, broken, data, status};
use crate::GrpcClassify;

#[test]
fn the_first_data_settles_a_probe() {
    let scene = Scene::half_open(HalfOpen::new());
    let mut body = scene.grpc([data(), data(), status("14")]);
    assert_eq!(scene.breaker.state(), State::HalfOpen);

    body.read();
    assert_eq!(scene.breaker.state(), State::Closed);
    body.read();
    assert_eq!(scene.breaker.snapshot().counts.calls, 0);

    body.read();
    let counts = scene.breaker.snapshot().counts;
    assert_eq!((counts.calls, counts.failures), (1, 1));
}

#[test]
fn what_follows_a_probe_counts_nowhere_but_in_closed() {
    let scene = Scene::half_open(HalfOpen::new().success_threshold(2));
    let mut body = scene.grpc([data(), status("14")]);
    body.read();
    body.read();
    assert_eq!(scene.breaker.state(), State::HalfOpen);
    assert_eq!(scene.ended(), "success late");
}

#[test]
fn the_end_of_a_probes_stream_moves_no_later_visit() {
    let scene = Scene::half_open(HalfOpen::new());
    let mut body = scene.grpc([data(), status("14")]);
    body.read();
    scene.breaker.trip();
    scene.breaker.reset();
    body.read();
    assert_eq!((scene.breaker.state(), scene.breaker.snapshot().counts.calls), (State::Closed, 0));
    assert_eq!(scene.ended(), "success late");
}

#[test]
fn a_stream_dropped_after_its_probe_records_nothing() {
    let scene = Scene::half_open(HalfOpen::new());
    let mut body = scene.grpc([data(), Step::Pending]);
    body.read();
    drop(body);
    assert_eq!(scene.breaker.state(), State::Closed);
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_dropped_probe_gives_its_slot_back() {
    let scene = Scene::half_open(HalfOpen::new());
    let body = scene.grpc([Step::Pending]);
    assert!(scene.breaker.check().is_err());
    drop(body);
    assert!(scene.breaker.check().is_ok());
    assert_eq!(scene.ended(), "abandoned");
}

#[test]
fn a_probe_that_fails_before_any_data_reopens() {
    for script in [vec![broken()], vec![status("14")], vec![]] {
        let scene = Scene::half_open(HalfOpen::new());
        let mut body = scene.grpc(script);
        body.read();
        assert_eq!(scene.breaker.state(), State::Open);
    }
}

#[test]
fn a_probe_whose_only_frame_is_the_end_ends_by_it() {
    let scene = Scene::half_open(HalfOpen::new());
    let script = Script::of([data()]).of_known_length();
    scene.finish(&GrpcClassify::new(), Response::builder(), script).read();
    assert_eq!(scene.breaker.state(), State::Open);
}

#[test]
fn a_plain_stream_settles_its_probe_by_first_data() {
    let scene = Scene::half_open(HalfOpen::new());
    let mut body = scene.http(200, [data(), broken()]);
    body.read();
    assert_eq!(scene.breaker.state(), State::Closed);
    body.read();
    assert_eq!(scene.breaker.snapshot().counts.failures, 1);
}
