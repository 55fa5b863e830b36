//! The reader observes the inner body unchanged.

use std::task::Poll;

use http::Response;
use http_body::Body;

use super::scene::{Scene, Script, data};
use crate::{HttpClassify, WatchedBody, WatchedCall};

#[test]
fn frames_hints_and_end_are_those_of_the_inner_body() {
    let scene = Scene::new();
    let script = Script::of([data(), data()]).of_known_length();
    let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);

    assert_eq!(body.size_hint().exact(), Some(8));
    assert!(!body.is_end_stream());
    let Poll::Ready(Some(Ok(frame))) = body.frame() else { panic!("no frame") };
    assert_eq!(frame.into_data().unwrap(), &b"data"[..]);
    body.read();
    assert!(body.is_end_stream());
}

#[test]
fn a_body_read_on_after_its_end_records_nothing_more() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data()]);
    for _ in 0..4 {
        body.read();
    }
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_default_body_belongs_to_no_call() {
    let body = WatchedBody::<String>::default();
    assert!(!body.is_watched());
    assert!(body.is_end_stream());
}

#[test]
fn it_crosses_threads_if_the_body_does() {
    fn crosses_threads<T: Send + Sync + Unpin + 'static>() {}
    crosses_threads::<WatchedBody<String>>();
    crosses_threads::<WatchedCall>();
}

#[test]
fn watching_adds_little_to_a_body() {
    let added = size_of::<WatchedBody<Script>>() - size_of::<Script>();
    assert!(added <= 144, "{added} bytes");
}
