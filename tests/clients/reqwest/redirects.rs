//! Redirects to other hosts, each through the breaker of its host.

use futures_util::FutureExt;
use halfopen::{Registry, State};
use halfopen_reqwest::{CircuitBreakerMiddleware, ResilientHttpClient, follow_if_permitted, redirect_policy};
use reqwest::redirect::Policy;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::server::Server;
use crate::world::{config, ended, http, retry, url};

/// Two servers, the first of which redirects to the second, and a client.
struct Pair {
    first: Server,
    second: Server,
    registry: Registry,
    client: ClientWithMiddleware,
}

impl Pair {
    async fn new() -> Pair {
        Pair::with(|middleware| middleware).await
    }

    async fn with(change: impl FnOnce(CircuitBreakerMiddleware) -> CircuitBreakerMiddleware) -> Pair {
        let registry = Registry::builder().default_config(config(1)).build();
        let middleware = change(CircuitBreakerMiddleware::per_host(registry.clone()));
        let client = http().redirect(redirect_policy()).build().unwrap();
        Pair {
            first: Server::start().await,
            second: Server::start().await,
            registry,
            client: ClientBuilder::new(client).with(middleware).build(),
        }
    }

    /// A URL of the first server that redirects to `path` on the second.
    fn away(&self, path: &str) -> String {
        away(&self.first, self.second.address().port(), path)
    }

    /// The outcomes of the first server, and those of the second.
    fn ended(&self) -> (String, String) {
        (ended_at(&self.registry, &self.first), ended_at(&self.registry, &self.second))
    }
}

fn away(server: &Server, port: u16, path: &str) -> String {
    url(server, &format!("/away/{port}{path}"))
}

fn ended_at(registry: &Registry, server: &Server) -> String {
    ended(&registry.get_or_create(&server.address().to_string()))
}

fn outcomes(first: &str, second: &str) -> (String, String) {
    (first.to_owned(), second.to_owned())
}

#[tokio::test]
async fn each_host_has_the_outcome_of_its_own_response() {
    let pair = Pair::new().await;
    let response = pair.client.get(pair.away("/status/503")).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(pair.ended(), outcomes("success", "failure"));
}

#[tokio::test]
async fn a_redirect_to_an_open_host_is_not_followed() {
    let pair = Pair::new().await;
    let second = pair.second.address().to_string();
    pair.registry.get_or_create(&second).force_open();

    let error = pair.client.get(pair.away("/whole")).send().await.unwrap_err();
    assert_eq!(halfopen::rejection(&error).unwrap().name(), second);
    assert_eq!((pair.first.seen(), pair.second.seen()), (1, 0));
    assert_eq!(pair.ended(), outcomes("success", ""));
}

#[tokio::test]
async fn a_rejected_redirect_is_not_retried() {
    let pair = Pair::new().await;
    pair.registry.get_or_create(&pair.second.address().to_string()).force_open();
    let http = http().redirect(redirect_policy()).build().unwrap();
    let breaker = CircuitBreakerMiddleware::per_host(pair.registry.clone());
    let client = ClientBuilder::new(http).with(retry(2)).with(breaker).build();

    let error = client.get(pair.away("/whole")).send().await.unwrap_err();
    assert!(halfopen::rejection(&error).is_some());
    assert_eq!(pair.first.seen(), 1);
}

#[tokio::test]
async fn an_error_of_the_next_host_is_not_the_firsts() {
    let pair = Pair::new().await;
    let error = pair.client.get(pair.away("/dropped")).send().await.unwrap_err();
    assert!(!error.is_redirect());
    assert_eq!(pair.ended(), outcomes("success", "failure"));
}

#[tokio::test]
async fn a_redirected_request_probes_the_next_host() {
    let pair = Pair::new().await;
    let second = pair.registry.get_or_create(&pair.second.address().to_string());
    second.trip();
    second.end_wait();
    pair.client.get(pair.away("/whole")).send().await.unwrap();
    assert_eq!(second.state(), State::Closed);
}

#[tokio::test]
async fn a_redirect_to_the_same_host_is_part_of_the_call() {
    let pair = Pair::new().await;
    let home = away(&pair.first, pair.first.address().port(), "/status/503");
    pair.client.get(home).send().await.unwrap();
    assert_eq!(pair.ended(), outcomes("failure", ""));
}

#[tokio::test]
async fn a_redirect_back_to_the_first_host_is_a_new_call() {
    let pair = Pair::new().await;
    let back = pair.away(&format!("/away/{}/status/503", pair.first.address().port()));
    pair.client.get(back).send().await.unwrap();
    assert_eq!(pair.ended(), outcomes("success failure", "success"));
}

#[tokio::test]
async fn a_body_counts_for_the_host_that_sends_it() {
    let pair = Pair::with(CircuitBreakerMiddleware::until_body_end).await;
    let mut response = pair.client.get(pair.away("/cut")).send().await.unwrap();
    assert_eq!(pair.ended(), outcomes("success", ""));
    response.chunk().await.unwrap();
    pair.second.break_off();
    response.chunk().await.unwrap_err();
    assert_eq!(pair.ended(), outcomes("success", "failure"));
}

#[tokio::test]
async fn the_rules_classify_the_response_that_redirects() {
    let pair = Pair::with(|middleware| {
        middleware.classify_fn(|result| match result {
            Ok(response) if response.status() == 302 => halfopen::Outcome::Failure,
            Ok(_) | Err(_) => halfopen::Outcome::Success,
        })
    })
    .await;
    pair.client.get(pair.away("/whole")).send().await.unwrap();
    assert_eq!(pair.ended(), outcomes("failure", "success"));
}

#[tokio::test]
async fn a_request_that_is_dropped_is_abandoned_where_it_is() {
    let pair = Pair::new().await;
    let mut request = Box::pin(pair.client.get(pair.away("/silent")).send());
    while pair.second.seen() == 0 {
        assert!(request.as_mut().now_or_never().is_none(), "it was to hang");
        tokio::task::yield_now().await;
    }
    drop(request);
    assert_eq!(pair.ended(), outcomes("success", "abandoned"));
}

#[tokio::test]
async fn a_request_with_its_own_breaker_name_keeps_it() {
    let pair = Pair::new().await;
    let name = halfopen_reqwest::BreakerName::new("search");
    pair.client.get(pair.away("/status/503")).with_extension(name).send().await.unwrap();
    assert_eq!(ended(&pair.registry.get("search").unwrap()), "failure");
    assert_eq!(pair.ended(), outcomes("", ""));
}

#[tokio::test]
async fn another_clients_request_is_not_taken_for_its_hop() {
    let pair = Pair::new().await;
    let inner = http().redirect(redirect_policy()).build().unwrap();
    let other = Server::start().await;
    let token = away(&other, pair.second.address().port(), "/status/503");
    let http = http().redirect(redirect_policy()).build().unwrap();
    let client = ClientBuilder::new(http)
        .with(CircuitBreakerMiddleware::per_host(pair.registry.clone()))
        .with(WithToken { client: inner, url: token })
        .build();

    client.get(url(&pair.first, "/whole")).send().await.unwrap();
    assert_eq!(other.seen(), 1);
    assert_eq!(pair.ended(), outcomes("success", ""));
}

#[tokio::test]
async fn the_default_policy_ends_after_ten_redirects() {
    let pair = Pair::new().await;
    let error = pair.client.get(url(&pair.first, "/circle")).send().await.unwrap_err();
    assert!(error.is_redirect());
    assert_eq!(pair.first.seen(), 11);
    assert_eq!(pair.ended(), outcomes("ignored", ""));
}

#[tokio::test]
async fn the_ready_client_follows_through_the_breakers() {
    let pair = Pair::new().await;
    pair.registry.get_or_create(&pair.second.address().to_string()).force_open();
    // Without `client(http())`, whose redirect policy would replace the default.
    let client = ResilientHttpClient::builder().registry(pair.registry.clone()).build().unwrap();
    let error = client.get(pair.away("/whole")).send().await.unwrap_err();
    assert!(halfopen::rejection(&error).is_some());
}

#[tokio::test]
async fn without_per_host_every_redirect_is_followed() {
    let (first, second) = (Server::start().await, Server::start().await);
    let client = http().redirect(Policy::custom(follow_if_permitted)).build().unwrap();
    let response = client.get(away(&first, second.address().port(), "/whole")).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

/// Sends a request with a client of its own before each request.
struct WithToken {
    client: reqwest::Client,
    url: String,
}

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for WithToken {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        self.client.get(&self.url).send().await?;
        next.run(request, extensions).await
    }
}
