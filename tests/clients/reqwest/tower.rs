//! The tower layer directly over a `reqwest::Client` and over a `ClientWithMiddleware`.

use std::time::Duration;

use halfopen::BoxError;
use halfopen_reqwest::{BreakerName, CircuitBreakerMiddleware, ReqwestClassify};
use halfopen_tower::CircuitBreakerLayer;
use reqwest::{Method, Request, Response};
use reqwest_middleware::{ClientBuilder, Extension};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_service::Service;

use crate::server::Server;
use crate::world::{breaker, ended, http, nobody, stack, url};

fn get(url: &str) -> Request {
    Request::new(Method::GET, url.parse().expect("the URLs of the tests are valid"))
}

async fn call<S>(service: S, request: Request) -> Result<Response, BoxError>
where
    S: Service<Request, Response = Response, Error = BoxError>,
{
    service.oneshot(request).await
}

#[tokio::test]
async fn a_layer_goes_straight_over_the_client() {
    let server = Server::start().await;
    let (breaker, _hands) = breaker("peer");
    let layer = CircuitBreakerLayer::new(breaker.clone()).classify(ReqwestClassify::new());
    let client = layer.layer(http().build().unwrap());

    for (path, outcomes) in
        [("/whole", "success"), ("/status/404", "success success"), ("/dropped", "success success failure")]
    {
        let _ = call(client.clone(), get(&url(&server, path))).await;
        assert_eq!(ended(&breaker), outcomes, "{path}");
    }
    call(client.clone(), get("ftp://127.0.0.1/")).await.unwrap_err();
    assert_eq!(ended(&breaker), "success success failure ignored");
    call(client.clone(), get(&format!("http://{}/", nobody().await))).await.unwrap_err();
    call(client.clone(), get(&url(&server, "/busy/9"))).await.unwrap();

    let error = call(client, get(&url(&server, "/whole"))).await.unwrap_err();
    let rejected = halfopen::rejection(&*error).unwrap();
    assert_eq!(rejected.retry_after(), Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn a_layer_goes_over_a_borrowed_client() {
    let server = Server::start().await;
    let (breaker, _hands) = breaker("peer");
    let client = http().build().unwrap();
    let layer = CircuitBreakerLayer::new(breaker.clone()).classify(ReqwestClassify::new());
    call(layer.layer(&client), get(&url(&server, "/status/500"))).await.unwrap();
    assert_eq!(ended(&breaker), "failure");
}

#[tokio::test]
async fn a_layer_ignores_rejections_of_the_middleware() {
    let server = Server::start().await;
    let (outer, _hands) = breaker("outer");
    let (inner, _hands) = breaker("inner");
    let client = stack().with(CircuitBreakerMiddleware::new(inner.clone())).build();
    let with_rules = CircuitBreakerLayer::new(outer.clone()).classify(ReqwestClassify::new());

    call(with_rules.layer(client.clone()), get(&url(&server, "/status/500"))).await.unwrap();
    assert_eq!((ended(&outer), ended(&inner)), ("failure".into(), "failure".into()));

    inner.force_open();
    for layered in [
        call(with_rules.layer(client.clone()), get(&url(&server, "/whole"))).await,
        call(CircuitBreakerLayer::new(outer.clone()).layer(client.clone()), get(&url(&server, "/whole")))
            .await,
    ] {
        assert_eq!(halfopen::rejection(&*layered.unwrap_err()).unwrap().name(), "inner");
    }
    assert_eq!(ended(&outer), "failure ignored ignored");
}

#[tokio::test]
async fn boxed_errors_of_layers_between_are_judged_as_well() {
    let server = Server::start().await;
    let (breaker, _hands) = breaker("peer");
    let client = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(breaker.clone()).classify(ReqwestClassify::new()))
        .timeout(Duration::from_secs(30))
        .service(http().build().unwrap());
    call(client.clone(), get("ftp://127.0.0.1/")).await.unwrap_err();
    call(client.clone(), get(&url(&server, "/dropped"))).await.unwrap_err();
    call(client, get(&url(&server, "/whole"))).await.unwrap();
    assert_eq!(ended(&breaker), "success failure ignored");
}

#[tokio::test]
async fn a_client_as_a_service_runs_no_initialisers() {
    let server = Server::start().await;
    let registry = halfopen::Registry::new();
    let client = stack()
        .with_init(Extension(BreakerName::new("search")))
        .with(CircuitBreakerMiddleware::per_host(registry.clone()))
        .build();

    client.get(url(&server, "/whole")).send().await.unwrap();
    assert!(registry.get("search").is_some());
    client.oneshot(get(&url(&server, "/whole"))).await.unwrap();
    assert!(registry.get(&server.address().to_string()).is_some());
}

#[tokio::test]
async fn a_rejection_in_the_connector_is_found() {
    let server = Server::start().await;
    let (connecting, _hands) = breaker("connecting");
    let (outer, _hands) = breaker("outer");
    connecting.force_open();
    let http = http().connector_layer(CircuitBreakerLayer::new(connecting)).build().unwrap();
    let client = ClientBuilder::new(http).with(CircuitBreakerMiddleware::new(outer.clone())).build();

    let error = client.get(url(&server, "/whole")).send().await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(halfopen::rejection(&error).unwrap().name(), "connecting");
    assert_eq!(ended(&outer), "ignored");
}
