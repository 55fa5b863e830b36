use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use halfopen::{CircuitBreakerConfig, Registry};
use halfopen_reqwest::CircuitBreakerMiddleware;
use reqwest::{Method, Request};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

use crate::configs;
use crate::harness::{Case, measure};
use crate::table::Group;

use test_support::middleware::Answers;
pub(crate) use test_support::middleware::Empty;

/// A request through a reqwest client whose response requires no network, with a breaker in front of it.
pub(crate) fn group() -> Group {
    Group::of_timings("reqwest, closed, success", &measure(cases()), "empty", "")
}

pub(crate) fn cases() -> Vec<Case> {
    let one = || CircuitBreakerMiddleware::new(configs::warm(&configs::count()));
    vec![
        case("none", stack()),
        case("empty", stack().with(Empty)),
        case("one breaker", stack().with(one())),
        case("per host", stack().with(CircuitBreakerMiddleware::per_host(registry()))),
        case("one breaker, to the end of the body", stack().with(one().until_body_end())),
    ]
}

fn registry() -> Registry {
    let config: CircuitBreakerConfig = configs::count();
    Registry::builder().default_config(config).build()
}

fn stack() -> ClientBuilder {
    let client = reqwest::Client::builder().no_proxy().build();
    ClientBuilder::new(client.expect("a client without TLS can always be built"))
}

fn case(name: &str, stack: ClientBuilder) -> Case {
    let client = stack.with(Answers).build();
    Case::new(name, move |calls| {
        for _ in 0..calls {
            call(&client);
        }
    })
}

/// One request and its whole response; it never waits.
fn call(client: &ClientWithMiddleware) {
    let url = "http://inventory.example/items/7".parse().expect("a valid URL");
    let request = Request::new(Method::GET, url);
    let whole = async { client.execute(request).await.expect("a permitted call").bytes().await };
    match pin!(whole).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(body) => drop(black_box(body)),
        Poll::Pending => unreachable!("the answer is there at once"),
    }
}
