//! The classification of errors: whether the server is the cause.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use halfopen_reqwest::CircuitBreakerMiddleware;
use http::Extensions;
use http_body_util::StreamBody;
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Body, Method, Request, Response};
use reqwest_middleware::{ClientBuilder, Error, Next, Result};

use crate::server::Server;
use crate::world::{Guarded, SECOND, after_its_timeout, breaker, ended, http, nobody, retry, stack, url};

fn with_http(http: reqwest::ClientBuilder) -> Guarded {
    let client = http.build().expect("a client without TLS can always be built");
    Guarded::stack(|breaker| ClientBuilder::new(client).with(CircuitBreakerMiddleware::new(breaker)))
}

/// The breaker outside of retry, which wraps every error in one of its own.
fn outside_retry() -> Guarded {
    Guarded::stack(|breaker| stack().with(CircuitBreakerMiddleware::new(breaker)).with(retry(1)))
}

fn inside_and_outside() -> [Guarded; 2] {
    [Guarded::new(), outside_retry()]
}

#[tokio::test]
async fn a_refused_connection_is_a_failure() {
    for guarded in inside_and_outside() {
        let error = guarded.client.get(format!("http://{}/", nobody().await)).send().await;
        assert!(error.is_err());
        assert_eq!(guarded.ended(), "failure");
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_a_failure() {
    let server = Server::start().await;
    for guarded in inside_and_outside() {
        assert!(guarded.get(&server, "/dropped").await.is_err());
        assert_eq!(guarded.ended(), "failure");
    }
}

#[tokio::test]
async fn a_server_that_hangs_beyond_the_timeout_fails() {
    let server = Server::start().await;
    let guarded = with_http(http().timeout(30 * SECOND));
    let error = after_its_timeout(guarded.get(&server, "/silent"), || server.seen() == 1).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn a_connection_that_takes_too_long_is_a_failure() {
    let guarded = with_http(http().connect_timeout(5 * SECOND).dns_resolver(Arc::new(Silent)));
    let request = guarded.client.get("http://server.example/").send();
    let error = after_its_timeout(request, || true).await.unwrap_err();
    assert!(error.is_connect() && error.is_timeout());
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_failure() {
    let guarded = with_http(http().dns_resolver(Arc::new(Unknown)));
    let Err(Error::Reqwest(error)) = guarded.client.get("http://server.example/").send().await else {
        panic!("nobody can resolve it");
    };
    assert!(error.is_dns());
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_ignored() {
    for guarded in inside_and_outside() {
        let request = Request::new(Method::GET, "ftp://127.0.0.1/file".parse().unwrap());
        let error = guarded.client.execute(request).await.unwrap_err();
        assert!(error.to_string().starts_with("builder error"), "{error}");
        assert_eq!(guarded.ended(), "ignored");
    }
}

#[tokio::test]
async fn a_redirect_that_goes_in_circles_is_no_failure() {
    let server = Server::start().await;
    for guarded in inside_and_outside() {
        let error = guarded.get(&server, "/circle").await.unwrap_err();
        assert!(error.to_string().starts_with("error following redirect"), "{error}");
        assert_eq!(guarded.ended(), "ignored");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_twice_is_ignored() {
    let server = Server::start().await;
    let guarded = outside_retry();
    let frames = stream::iter([Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(b"data")))]);
    let request = guarded.client.post(url(&server, "/whole")).body(Body::wrap(StreamBody::new(frames)));

    let error = request.send().await.unwrap_err();
    assert!(error.to_string().contains("not cloneable"), "{error}");
    assert_eq!(guarded.ended(), "ignored");
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn an_error_of_another_middleware_is_a_failure() {
    fn gives_up<'a>(_: Request, _: &'a mut Extensions, _: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        Box::pin(async { Err(Error::Middleware(anyhow::anyhow!("no answer within my patience"))) })
    }
    let server = Server::start().await;
    let guarded =
        Guarded::stack(|breaker| stack().with(CircuitBreakerMiddleware::new(breaker)).with(gives_up));
    guarded.get(&server, "/whole").await.unwrap_err();
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn an_outer_breaker_ignores_inner_rejections() {
    let server = Server::start().await;
    let (inner, _hands) = breaker("inner");
    inner.force_open();
    let plain = |outer| {
        let stack = stack().with(CircuitBreakerMiddleware::new(outer));
        stack.with(CircuitBreakerMiddleware::new(inner.clone()))
    };
    let through_retry = |outer| {
        let stack = stack().with(CircuitBreakerMiddleware::new(outer)).with(retry(2));
        stack.with(CircuitBreakerMiddleware::new(inner.clone()))
    };
    for guarded in [Guarded::stack(plain), Guarded::stack(through_retry)] {
        let error = guarded.get(&server, "/whole").await.unwrap_err();
        assert_eq!(halfopen::rejection(&error).unwrap().name(), "inner");
        assert_eq!(guarded.ended(), "ignored");
    }
    assert_eq!(ended(&inner), "");
}

#[tokio::test]
async fn a_bare_rejection_of_other_middleware_is_ignored() {
    fn refuses<'a>(_: Request, _: &'a mut Extensions, _: Next<'a>) -> BoxFuture<'a, Result<Response>> {
        let (other, _hands) = breaker("other");
        other.force_open();
        Box::pin(async move { Err(Error::middleware(other.try_acquire().unwrap_err())) })
    }
    let server = Server::start().await;
    let guarded =
        Guarded::stack(|breaker| stack().with(CircuitBreakerMiddleware::new(breaker)).with(refuses));
    guarded.get(&server, "/whole").await.unwrap_err();
    assert_eq!(guarded.ended(), "ignored");
}

#[tokio::test]
async fn what_reqwest_sends_again_by_itself_is_one_call() {
    let server = Server::start().await;
    let guarded = with_http(http().http2_prior_knowledge());
    assert!(guarded.get(&server, "/reset-at-once/refused").await.is_err());
    assert!(server.seen() > 1, "reqwest no longer resends a refused stream");
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn a_reset_of_the_stream_is_a_failure() {
    let server = Server::start().await;
    for reason in ["cancel", "internal"] {
        let guarded = with_http(http().http2_prior_knowledge());
        assert!(guarded.get(&server, &format!("/reset-at-once/{reason}")).await.is_err());
        assert_eq!(guarded.ended(), "failure", "{reason}");
    }
}

/// A resolver that never completes.
struct Silent;

impl Resolve for Silent {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(std::future::pending())
    }
}

/// A resolver that finds no host.
struct Unknown;

impl Resolve for Unknown {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(async { Err("no such host".into()) })
    }
}
