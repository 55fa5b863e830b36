//! What the breaker costs a permitted request in allocations, beside a middleware that does nothing.
//!
//! Alone in its program: the allocator counts for all threads.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[allow(dead_code, reason = "shared with the benches, which look at more")]
#[path = "../../../benches/alloc.rs"]
mod alloc;

use async_trait::async_trait;
use fusebox::{CircuitBreaker, Registry};
use fusebox_reqwest::CircuitBreakerMiddleware;
use futures_util::FutureExt;
use http::Extensions;
use reqwest::{Method, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

const CALLS: u64 = 100;

#[test]
fn a_permitted_request_allocates_nothing_beyond_an_empty_middleware_and_per_host_one_name() {
    let empty = allocations(|| Empty);
    let one = CircuitBreaker::builder("peer").build();
    assert_eq!(allocations(|| CircuitBreakerMiddleware::new(one.clone())), empty);
    assert_eq!(allocations(|| CircuitBreakerMiddleware::per_host(Registry::new())), empty + CALLS);
}

/// How many allocations so many calls make through this, over an answer that needs no network. The
/// least of a few runs: the test harness allocates now and then on a thread of its own.
fn allocations<M: Middleware>(middleware: impl Fn() -> M) -> u64 {
    (0..5).map(|_| allocations_once(middleware())).min().expect("there was a run")
}

fn allocations_once(middleware: impl Middleware) -> u64 {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = ClientBuilder::new(http).with(middleware).with(Answers).build();
    // The first call makes the breaker.
    call(&client, request());
    let requests: Vec<_> = (0..CALLS).map(|_| request()).collect();
    let (_, seen) = alloc::watch(|| requests.into_iter().for_each(|request| call(&client, request)));
    seen.allocations
}

fn request() -> Request {
    Request::new(Method::GET, "http://inventory.example/items/7".parse().unwrap())
}

fn call(client: &ClientWithMiddleware, request: Request) {
    let response = client.execute(request).now_or_never().expect("the answer is there at once").unwrap();
    assert_eq!(response.status(), 200);
}

struct Empty;

#[async_trait]
impl Middleware for Empty {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        next.run(request, extensions).await
    }
}

struct Answers;

#[async_trait]
impl Middleware for Answers {
    async fn handle(&self, _: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
        Ok(Response::from(http::Response::new("hello")))
    }
}
