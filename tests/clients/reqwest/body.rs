//! `until_body_end`: events after the head.

use futures_util::FutureExt;
use halfopen::State;
use halfopen_reqwest::CircuitBreakerMiddleware;
use reqwest::Response;
use reqwest_middleware::ClientBuilder;

use crate::server::Server;
use crate::world::{Guarded, SECOND, after_its_timeout, http, stack, url};

fn watching() -> Guarded {
    Guarded::with(CircuitBreakerMiddleware::until_body_end)
}

/// Reads the data of a body, lets the server abort it, and reads on.
async fn read_into_the_fault(server: &Server, mut response: Response) -> reqwest::Error {
    let data = response.chunk().await.expect("the data comes before the fault");
    assert_eq!(data.expect("the data comes before the fault"), "data");
    server.break_off();
    response.bytes().await.expect_err("the body breaks off")
}

#[tokio::test]
async fn by_default_the_verdict_falls_at_the_head() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    let response = guarded.get(&server, "/cut").await.unwrap();
    assert_eq!(guarded.ended(), "success");
    read_into_the_fault(&server, response).await;
    assert_eq!(guarded.ended(), "success");
}

#[tokio::test]
async fn a_truncated_body_is_a_failure_with_its_own_error() {
    let server = Server::start().await;
    let bare = stack().build().get(url(&server, "/cut")).send().await.unwrap();
    let bare = read_into_the_fault(&server, bare).await;

    let guarded = watching();
    let response = guarded.get(&server, "/cut").await.unwrap();
    assert_eq!(guarded.ended(), "");
    let watched = read_into_the_fault(&server, response).await;
    assert_eq!(guarded.ended(), "failure");

    let kinds = |error: &reqwest::Error| {
        [error.is_decode(), error.is_body(), error.is_timeout(), error.is_connect(), error.is_request()]
    };
    assert_eq!(kinds(&watched), kinds(&bare));
    assert!(watched.is_decode());
}

#[tokio::test]
async fn a_body_that_stalls_beyond_the_timeout_fails() {
    let server = Server::start().await;
    let client = http().timeout(30 * SECOND).build().unwrap();
    let guarded = Guarded::stack(|breaker| {
        ClientBuilder::new(client).with(CircuitBreakerMiddleware::new(breaker).until_body_end())
    });
    let mut response = guarded.get(&server, "/stalled").await.unwrap();
    response.chunk().await.unwrap().unwrap();

    let error = after_its_timeout(response.bytes(), || true).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn a_body_read_to_its_end_is_a_success() {
    let server = Server::start().await;
    for (path, text) in [("/whole", "hello"), ("/chunked", "datadata"), ("/empty", "")] {
        let guarded = watching();
        let response = guarded.get(&server, path).await.unwrap();
        assert_eq!(response.text().await.unwrap(), text);
        assert_eq!(guarded.ended(), "success", "{path}");
    }
}

#[tokio::test]
async fn a_failing_status_counts_at_its_head_and_once() {
    let server = Server::start().await;
    let guarded = watching();
    let response = guarded.get(&server, "/status/503").await.unwrap();
    assert_eq!(guarded.ended(), "failure");
    response.bytes().await.unwrap();
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn an_error_before_the_head_is_a_failure() {
    let server = Server::start().await;
    let guarded = watching();
    assert!(guarded.get(&server, "/dropped").await.is_err());
    assert_eq!(guarded.ended(), "failure");
}

#[tokio::test]
async fn an_answer_without_a_body_is_a_success_at_its_head() {
    let server = Server::start().await;
    let guarded = watching();
    let response = guarded.client.head(url(&server, "/whole")).send().await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
    assert_eq!(guarded.ended(), "success");
}

#[tokio::test]
async fn an_unread_body_is_a_success_a_hanging_one_is_not() {
    let server = Server::start().await;
    let guarded = watching();
    drop(guarded.get(&server, "/stalled").await.unwrap());
    assert_eq!(guarded.ended(), "success");

    let guarded = watching();
    let mut response = guarded.get(&server, "/stalled").await.unwrap();
    response.chunk().await.unwrap().unwrap();
    assert!(response.chunk().now_or_never().is_none());
    drop(response);
    assert_eq!(guarded.ended(), "abandoned");
}

#[tokio::test]
async fn a_probe_on_an_endless_body_closes_by_first_data() {
    let server = Server::start().await;
    let guarded = watching();
    guarded.about_to_probe();
    let mut response = guarded.get(&server, "/stalled").await.unwrap();
    assert_eq!(guarded.breaker.state(), State::HalfOpen);
    response.chunk().await.unwrap().unwrap();
    assert_eq!(guarded.breaker.state(), State::Closed);
}

#[tokio::test]
async fn the_response_is_what_it_would_be_without() {
    let server = Server::start().await;
    for path in ["/whole", "/chunked", "/status/404", "/circle", "/empty"] {
        let client = || http().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let path = format!("{path}?a=b");
        let bare = client().get(url(&server, &path)).send().await.unwrap();
        let twice = ClientBuilder::new(client())
            .with(CircuitBreakerMiddleware::per_host(halfopen::Registry::new()).until_body_end())
            .with(CircuitBreakerMiddleware::per_host(halfopen::Registry::new()).until_body_end())
            .build();
        let watched = twice.get(url(&server, &path)).send().await.unwrap();

        assert_eq!(watched.url(), bare.url());
        assert_eq!(watched.status(), bare.status());
        assert_eq!(watched.version(), bare.version());
        assert_eq!(without_date(&watched), without_date(&bare));
        assert_eq!(watched.content_length(), bare.content_length(), "{path}");
        assert_eq!(watched.remote_addr(), bare.remote_addr());
        assert_eq!(watched.extensions().len(), bare.extensions().len());
        assert_eq!(watched.bytes().await.unwrap(), bare.bytes().await.unwrap());
    }
}

#[tokio::test]
async fn after_a_redirect_the_url_is_where_it_led() {
    let (first, second) = (Server::start().await, Server::start().await);
    let away = format!("/away/{}", second.address().port());
    let response = watching().get(&first, &away).await.unwrap();
    assert_eq!(response.url().as_str(), url(&second, "/whole"));
}

fn without_date(response: &Response) -> http::HeaderMap {
    let mut headers = response.headers().clone();
    headers.remove("date");
    headers
}

#[tokio::test]
async fn a_truncated_http2_body_is_a_failure() {
    let server = Server::start().await;
    let client = http().http2_prior_knowledge().build().unwrap();
    let guarded = Guarded::stack(|breaker| {
        ClientBuilder::new(client).with(CircuitBreakerMiddleware::new(breaker).until_body_end())
    });
    let mut response = guarded.get(&server, "/short").await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "data");
    server.break_off();
    assert!(response.chunk().await.unwrap().is_none(), "the client takes it for the end");
    assert_eq!(guarded.ended(), "failure");
}
