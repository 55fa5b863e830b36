//! Bodies that contradict the head of their response.

use http::{Method, Response};

use super::scene::{SECOND, Scene, Script, Step, broken, data, status};
use crate::{GrpcClassify, HttpClassify};

#[test]
fn fewer_bytes_than_promised_are_a_cut() {
    for (promised, expected) in [(4, "success"), (3, "success"), (5, "failure"), (100, "failure")] {
        let scene = Scene::new();
        let script = Script::of([data()]).promising(promised);
        let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);
        body.read();
        body.read();
        assert_eq!(scene.ended(), expected, "{promised} promised, 4 came");
    }
}

#[test]
fn a_body_that_never_comes_is_no_cut() {
    for (status, method, expected) in [
        (200, Method::HEAD, "success"),
        (304, Method::GET, "success"),
        (204, Method::GET, "success"),
        (200, Method::GET, "failure"),
    ] {
        let scene = Scene::new();
        let call = scene.call().method(&method);
        let response = Response::builder().status(status).body(Script::of([]).promising(99)).unwrap();
        let Ok(response) = call.finish(&HttpClassify::new(), Ok::<_, std::convert::Infallible>(response));
        response.into_body().read();
        assert_eq!(scene.ended(), expected, "{method} {status}");
    }
}

#[test]
fn a_reader_that_stops_before_the_end_saw_no_cut() {
    let scene = Scene::new();
    let script = Script::of([data(), data()]).promising(100);
    let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "success");
}

#[test]
fn an_ok_in_the_head_waits_for_the_body() {
    for (script, expected) in [
        (vec![data()], "success"),
        (vec![data(), status("0")], "success"),
        (vec![data(), status("14")], "failure"),
        (vec![data(), broken()], "failure"),
    ] {
        let scene = Scene::new();
        let head = Response::builder().header("grpc-status", "0");
        let mut body = scene.answer(scene.call(), &GrpcClassify::new(), head, script);
        assert_eq!(scene.ended(), "");
        body.read();
        body.read();
        assert_eq!(scene.ended(), expected);
    }
}

const MESSAGE: &[u8] = b"\0\0\0\0\x03abc";
const OK: &[u8] = b"\x80\0\0\0\x0fgrpc-status:0\r\n";
const BUSY: &[u8] = b"\x80\0\0\0\x20grpc-status:14\r\nretry-after:90\r\n";

fn web(steps: impl IntoIterator<Item = Step>) -> Scene {
    let scene = Scene::new();
    let head = Response::builder().header("content-type", "application/grpc-web+proto");
    let mut body = scene.answer(scene.call(), &GrpcClassify::new(), head, steps);
    for _ in 0..3 {
        body.read();
    }
    scene
}

#[test]
fn the_status_of_grpc_web_is_read_from_the_body() {
    for (steps, expected) in [
        (vec![Step::Bytes(MESSAGE), Step::Bytes(OK)], "success"),
        (vec![Step::Bytes(MESSAGE), Step::Bytes(BUSY)], "failure"),
        (vec![Step::Bytes(OK)], "success"),
        (vec![Step::Bytes(BUSY)], "failure"),
        (vec![Step::Bytes(MESSAGE)], "failure"),
        (vec![Step::Bytes(&OK[..9])], "failure"),
        (vec![Step::Bytes(MESSAGE), broken()], "failure"),
        // Decoded by an inner layer that preserves the content type.
        (vec![Step::Bytes(MESSAGE), status("0")], "success"),
        // Compressed trailers, so only the end of the body is known.
        (vec![Step::Bytes(b"\x81\0\0\0\x01x")], "success"),
    ] {
        let said = format!("{steps:?}");
        assert_eq!(web(steps).ended(), expected, "{said}");
    }
}

#[test]
fn a_hint_among_the_trailers_of_grpc_web_counts() {
    use halfopen::Trip;
    let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(1)));
    let head = Response::builder().header("content-type", "application/grpc-web");
    scene.answer(scene.call(), &GrpcClassify::new(), head, [Step::Bytes(BUSY)]).read();
    assert_eq!(scene.breaker.snapshot().retry_after, Some(90 * SECOND));
}

#[test]
fn a_grpc_web_probe_is_judged_by_its_first_data() {
    use halfopen::{HalfOpen, State};
    let scene = Scene::half_open(HalfOpen::new());
    let head = Response::builder().header("content-type", "application/grpc-web");
    scene.answer(scene.call(), &GrpcClassify::new(), head, [Step::Bytes(BUSY)]).read();
    assert_eq!(scene.breaker.state(), State::Open);
}
