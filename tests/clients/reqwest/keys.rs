//! The breaker that each request uses.

use std::borrow::Cow;

use halfopen::{Registry, State};
use halfopen_reqwest::{BreakerName, CircuitBreakerMiddleware};
use http::Extensions;
use reqwest::{Method, Request};
use reqwest_middleware::ClientWithMiddleware;

use crate::server::Server;
use crate::world::{config, ended, retry, stack, url};

fn registry() -> Registry {
    Registry::builder().default_config(config(1)).build()
}

fn per_host(registry: &Registry) -> ClientWithMiddleware {
    stack().with(CircuitBreakerMiddleware::per_host(registry.clone())).build()
}

fn names(registry: &Registry) -> Vec<String> {
    let mut names: Vec<_> = registry.breakers().iter().map(|breaker| breaker.name().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn each_host_and_port_has_a_breaker_of_its_own() {
    let (sick, well) = (Server::start().await, Server::start().await);
    let registry = registry();
    let client = per_host(&registry);

    client.get(url(&sick, "/status/500")).send().await.unwrap();
    assert!(client.get(url(&sick, "/whole")).send().await.is_err());
    client.get(url(&well, "/whole")).send().await.unwrap();

    assert_eq!(registry.get(&sick.address().to_string()).unwrap().state(), State::Open);
    assert_eq!(registry.get(&well.address().to_string()).unwrap().state(), State::Closed);
    assert_eq!(registry.len(), 2);
}

#[tokio::test]
async fn a_request_can_name_its_breaker_at_each_attempt() {
    let server = Server::start().await;
    let registry = Registry::builder().default_config(config(3)).build();
    let client = stack().with(retry(1)).with(CircuitBreakerMiddleware::per_host(registry.clone())).build();

    let request = client.get(url(&server, "/status/500")).with_extension(BreakerName::new("search"));
    request.send().await.unwrap();
    assert_eq!(names(&registry), ["search"]);
    assert_eq!(ended(&registry.get("search").unwrap()), "failure failure");
}

#[tokio::test]
async fn execute_takes_the_name_from_extensions_or_the_host() {
    let server = Server::start().await;
    let registry = registry();
    let client = per_host(&registry);
    let request = || Request::new(Method::GET, url(&server, "/whole").parse().unwrap());

    client.execute(request()).await.unwrap();
    assert_eq!(names(&registry), [server.address().to_string()]);

    let mut extensions = Extensions::new();
    extensions.insert(BreakerName::new("search"));
    client.execute_with_extensions(request(), &mut extensions).await.unwrap();
    assert_eq!(names(&registry), [server.address().to_string(), "search".to_owned()]);
}

#[tokio::test]
async fn a_key_can_be_borrowed_from_the_request_or_made() {
    let server = Server::start().await;
    let registry = registry();
    let by_method =
        CircuitBreakerMiddleware::keyed(registry.clone(), |request| Cow::Borrowed(request.method().as_str()));
    let by_path = CircuitBreakerMiddleware::keyed(registry.clone(), |request| {
        Cow::Owned(format!("path {}", request.url().path()))
    });
    let client = stack().with(by_method).with(by_path).build();

    client.head(url(&server, "/whole")).send().await.unwrap();
    assert_eq!(names(&registry), ["HEAD", "path /whole"]);

    let request = client.head(url(&server, "/whole")).with_extension(BreakerName::new("named"));
    request.send().await.unwrap();
    assert_eq!(ended(&registry.get("named").unwrap()), "success success");
}

#[tokio::test]
async fn a_redirect_of_reqwests_own_is_part_of_the_call() {
    let (first, second) = (Server::start().await, Server::start().await);
    let registry = registry();
    let client = per_host(&registry);

    let away = format!("/away/{}", second.address().port());
    let response = client.get(url(&first, &away)).send().await.unwrap();
    assert_eq!(response.url().as_str(), url(&second, "/whole"));
    assert_eq!(names(&registry), [first.address().to_string()]);
    assert_eq!(ended(&registry.get(&first.address().to_string()).unwrap()), "success");
}

#[tokio::test]
async fn the_number_of_hosts_can_be_bounded() {
    let servers = [Server::start().await, Server::start().await, Server::start().await];
    let registry = Registry::builder().capacity(2).build();
    let client = per_host(&registry);
    for server in &servers {
        client.get(url(server, "/whole")).send().await.unwrap();
    }
    assert_eq!(registry.len(), 2);
    assert_eq!(registry.status().overflowed, 1);
}
