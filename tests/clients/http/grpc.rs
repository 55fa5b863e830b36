use futures_util::FutureExt;
use halfopen::State;
use halfopen_http::GrpcClassify;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;

use crate::server::Server;
use crate::{Protected, SECOND, get, read_all, read_into_the_fault};

const RULES: halfopen_http::TypedErrors<GrpcClassify> = GrpcClassify::new().typed_errors();

/// Sends a request, reads the whole response, and returns the recorded outcome.
async fn outcome(server: &Server, path: &str) -> String {
    let client = Protected::http2();
    if let Ok(response) = client.send(RULES, get(server, path)).await {
        read_all(response.into_body()).await;
    }
    client.ended()
}

#[tokio::test]
async fn a_unary_answer_is_judged_by_its_trailers() {
    let server = Server::start().await;
    assert_eq!(outcome(&server, "/unary/0").await, "success");
    assert_eq!(outcome(&server, "/unary/5").await, "success");
    assert_eq!(outcome(&server, "/unary/14").await, "failure");
    assert_eq!(outcome(&server, "/unary/8").await, "failure");
    assert_eq!(outcome(&server, "/unary/1").await, "failure");
}

#[tokio::test]
async fn a_client_that_stops_at_the_trailers_is_enough() {
    let server = Server::start().await;
    let client = Protected::http2();
    let mut body = client.send(RULES, get(&server, "/unary/0")).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    assert_eq!(client.ended(), "");

    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    assert_eq!(client.ended(), "success");
    drop(body);
    assert_eq!(client.ended(), "success");
}

#[tokio::test]
async fn an_answer_of_trailers_only_is_judged_unread() {
    let server = Server::start().await;
    for (code, expected) in [("5", "success"), ("14", "failure"), ("1", "failure"), ("abc", "failure")] {
        let client = Protected::http2();
        let response = client.send(RULES, get(&server, &format!("/trailers-only/{code}"))).await.unwrap();
        assert_eq!(client.ended(), expected, "{code}");
        drop(response);
        assert_eq!(client.ended(), expected, "{code}");
    }
}

#[tokio::test]
async fn a_proxy_without_grpc_is_judged_by_its_status() {
    let server = Server::start().await;
    for (status, expected) in [(503, "failure"), (500, "failure"), (403, "success"), (404, "success")] {
        assert_eq!(outcome(&server, &format!("/status/{status}")).await, expected, "{status}");
    }
}

#[tokio::test]
async fn an_end_without_a_status_is_a_failure() {
    let server = Server::start().await;
    assert_eq!(outcome(&server, "/no-trailers").await, "failure");
    assert_eq!(outcome(&server, "/empty").await, "failure");
    assert_eq!(outcome(&server, "/whole").await, "failure");
}

#[tokio::test]
async fn every_reset_is_a_failure_whatever_its_reason() {
    let server = Server::start().await;
    for (reason, whole) in [("no-error", true), ("cancel", false), ("refused", false), ("internal", false)] {
        let client = Protected::http2();
        let response = client.send(RULES, get(&server, &format!("/reset/{reason}"))).await.unwrap();
        // The client takes a reset without an error for the end of the body.
        assert_eq!(read_into_the_fault(&server, response.into_body()).await, whole, "{reason}");
        assert_eq!(client.ended(), "failure", "{reason}");
    }
}

#[tokio::test]
async fn a_reset_before_the_head_is_a_failure() {
    let server = Server::start().await;
    assert_eq!(outcome(&server, "/reset-at-once/internal").await, "failure");
    assert_eq!(outcome(&server, "/reset-at-once/cancel").await, "failure");
}

#[tokio::test]
async fn an_unreadable_status_is_a_failure() {
    let server = Server::start().await;
    assert_eq!(outcome(&server, "/unary/abc").await, "failure");
    assert_eq!(outcome(&server, "/bad-details").await, "success");
}

#[tokio::test]
async fn a_pushback_in_the_trailers_sets_the_wait() {
    let server = Server::start().await;
    let client = Protected::http2();
    for _ in 0..3 {
        let response = client.send(RULES, get(&server, "/pushback/45000")).await.unwrap();
        assert!(read_all(response.into_body()).await);
    }
    assert_eq!(client.breaker.state(), State::Open);
    assert_eq!(client.breaker.snapshot().retry_after, Some(45 * SECOND));
}

#[tokio::test]
async fn a_stream_settles_its_probe_at_the_first_message() {
    let server = Server::start().await;
    let client = Protected::http2();
    client.about_to_probe();

    let mut body = client.send(RULES, get(&server, "/unary/14")).await.unwrap().into_body();
    assert_eq!(client.breaker.state(), State::HalfOpen);
    body.frame().await.unwrap().unwrap();
    assert_eq!(client.breaker.state(), State::Closed);
    assert_eq!(client.breaker.snapshot().counts.calls, 0);

    body.frame().await.unwrap().unwrap();
    let counts = client.breaker.snapshot().counts;
    assert_eq!((counts.calls, counts.failures), (1, 1));
}

#[tokio::test]
async fn an_error_without_a_message_fails_its_probe() {
    let server = Server::start().await;
    for path in ["/trailers-only/14", "/reset-at-once/internal", "/status/503"] {
        let client = Protected::http2();
        client.about_to_probe();
        let _ = client.send(RULES, get(&server, path)).await;
        assert_eq!(client.breaker.state(), State::Open, "{path}");
    }
}

#[tokio::test]
async fn a_watcher_that_leaves_frees_its_slot() {
    let server = Server::start().await;
    let client = Protected::http2();
    let mut body = client.send(RULES, get(&server, "/stalled")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().now_or_never().is_none());
    drop(body);
    assert_eq!(client.ended(), "ignored");
}

fn within_a_second(server: &Server, path: &str) -> Request<Empty<Bytes>> {
    let mut request = get(server, path);
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("1S"));
    request
}

#[tokio::test]
async fn a_call_given_up_after_its_deadline_is_a_failure() {
    let server = Server::start().await;
    let client = Protected::http2();
    let mut body = client.send(RULES, within_a_second(&server, "/stalled")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    client.hands.advance(SECOND);
    drop(body);
    assert_eq!(client.ended(), "failure");

    let client = Protected::http2();
    {
        let mut hanging = Box::pin(client.send(RULES, within_a_second(&server, "/silent")));
        assert!(hanging.as_mut().now_or_never().is_none());
        client.hands.advance(SECOND);
    }
    assert_eq!(client.ended(), "failure");
}

#[tokio::test]
async fn cancelled_after_the_deadline_is_a_failure() {
    let server = Server::start().await;
    let client = Protected::http2();
    let mut body = client.send(RULES, within_a_second(&server, "/unary/1")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    client.hands.advance(SECOND);
    body.frame().await.unwrap().unwrap();
    assert_eq!(client.ended(), "failure");
}
