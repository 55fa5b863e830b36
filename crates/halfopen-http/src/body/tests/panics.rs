//! Panics of the body, of the rules and of other code in the same task.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use halfopen::{Classify, HalfOpen, Outcome};
use http::Response;
use http_body::Body;

use super::scene::{Scene, Script, Step, data};
use crate::{ClassifyHead, Head, HttpClassify};

#[test]
fn a_panic_out_of_the_body_is_a_failure_and_goes_on() {
    let scene = Scene::new();
    let mut body = scene.http(200, [Step::Panic]);
    assert!(catch_unwind(AssertUnwindSafe(|| body.read())).is_err());
    assert_eq!(scene.ended(), "failure");
    drop(body);
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_panic_in_is_end_stream_is_a_failure() {
    let scene = Scene::new();
    let script = Script::of([data()]).panicking_at_end();
    let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);
    assert!(catch_unwind(AssertUnwindSafe(|| body.read())).is_err());
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_panic_in_a_callers_is_end_stream_is_a_failure() {
    let scene = Scene::new();
    let script = Script::of([Step::Pending, data()]).panicking_at_end();
    let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);
    body.read();
    assert!(!body.is_end_stream());
    let mut body =
        scene.finish(&HttpClassify::new(), Response::builder(), Script::of([Step::Pending, data()]));
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "abandoned", "one that does not panic");

    let scene = Scene::new();
    let script = Script::of([Step::Pending]).panicking_at_end();
    let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);
    body.read();
    assert!(catch_unwind(AssertUnwindSafe(|| body.is_end_stream())).is_err());
    drop(body);
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_panic_in_a_probes_stream_is_how_it_ends() {
    let scene = Scene::half_open(HalfOpen::new());
    let mut body = scene.http(200, [data(), Step::Panic]);
    body.read();
    assert!(catch_unwind(AssertUnwindSafe(|| body.read())).is_err());
    assert_eq!(scene.ended(), "success failure");
}

#[test]
fn a_panic_elsewhere_in_the_task_is_an_abandonment() {
    let scene = Scene::new();
    let body = scene.grpc([data()]);
    let task = catch_unwind(AssertUnwindSafe(|| {
        let _body = body;
        panic!("somebody else's");
    }));
    assert!(task.is_err());
    assert_eq!(scene.ended(), "abandoned");
}

#[test]
fn a_panic_out_of_the_sender_is_a_failure() {
    let scene = Scene::new();
    let mut call = scene.call();
    assert!(catch_unwind(AssertUnwindSafe(|| call.poll_with(|| panic!("in the client")))).is_err());
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn rules_that_panic_are_counted_and_lose_no_answer() {
    struct Broken;
    impl ClassifyHead for Broken {
        fn classify_head<B: Body>(&self, _: &Response<B>, _: bool) -> Head {
            panic!("a bug in the rules");
        }
    }
    impl<B> Classify<Response<B>, Infallible> for Broken {
        fn classify(&self, _: &Result<Response<B>, Infallible>) -> Outcome {
            panic!("a bug in the rules");
        }
    }

    let scene = Scene::new();
    let mut body = scene.finish(&Broken, Response::builder(), Script::of([data()]));
    assert!(matches!(body.frame(), Poll::Ready(Some(Ok(_)))));
    assert_eq!(scene.ended(), "success");
    assert_eq!(scene.totals().panics, 1);
}
