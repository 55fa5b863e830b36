//! The allocations of a permitted request through the breaker, compared with a middleware that does nothing.
//!
//! In a separate program: the allocator counts for all threads.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[allow(dead_code, reason = "shared with the benches, which look at more")]
#[path = "../../../benches/alloc.rs"]
mod alloc;

use futures_util::FutureExt;
use halfopen::{CircuitBreaker, Registry};
use halfopen_reqwest::CircuitBreakerMiddleware;
use reqwest::{Method, Request};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware};

use test_support::middleware::{Answers, Empty};

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

const CALLS: u64 = 100;

#[test]
fn a_permitted_request_allocates_nothing() {
    let empty = allocations(|| Empty);
    let one = CircuitBreaker::builder("peer").build();
    assert_eq!(allocations(|| CircuitBreakerMiddleware::new(one.clone())), empty);
    assert_eq!(allocations(|| CircuitBreakerMiddleware::per_host(Registry::new())), empty);
}

/// Returns the number of allocations of this number of calls, with a response that requires no network. The
/// minimum of several runs, because the test harness occasionally allocates on a thread of its own.
fn allocations<M: Middleware>(middleware: impl Fn() -> M) -> u64 {
    (0..5).map(|_| allocations_once(middleware())).min().expect("there was a run")
}

fn allocations_once(middleware: impl Middleware) -> u64 {
    let http =
        reqwest::Client::builder().no_proxy().build().expect("a client without TLS can always be built");
    let client = ClientBuilder::new(http).with(middleware).with(Answers).build();
    // The first call creates the breaker.
    call(&client, request());
    let requests: Vec<_> = (0..CALLS).map(|_| request()).collect();
    let (_, seen) = alloc::watch(|| requests.into_iter().for_each(|request| call(&client, request)));
    seen.allocations
}

fn request() -> Request {
    Request::new(Method::GET, "http://inventory.example/items/7".parse().expect("a valid URL"))
}

fn call(client: &ClientWithMiddleware, request: Request) {
    let response = client.execute(request).now_or_never().expect("the answer is there at once");
    assert_eq!(response.expect("a permitted call").status(), 200);
}
