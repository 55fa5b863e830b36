use halfopen::rejection;
use halfopen_tonic::CircuitBreakerInterceptor;
use tonic::{Code, Request};
use tonic_types::StatusExt;
use tower::Layer;

use crate::proto::inventory_client::InventoryClient;
use crate::shop::Open;
use crate::{SECOND, Scene, article};

#[tokio::test]
async fn an_interceptor_refuses_with_details_alone() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let interceptor = CircuitBreakerInterceptor::new(scene.breaker.clone());
    let mut client = InventoryClient::with_interceptor(shop.channel(), interceptor);
    client.count(article("3/0")).await.unwrap();
    scene.breaker.trip();
    let status = client.count(article("3/0")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "circuit breaker `inventory` is open (opened by hand); retry in 1s");
    assert_eq!(status.check_error_details().unwrap().retry_info().unwrap().retry_delay, Some(SECOND));
    assert!(rejection(&status).is_none());
    assert_eq!(scene.breaker.snapshot().totals.rejected, 1);
}

#[tokio::test]
async fn an_interceptor_records_and_limits_nothing() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let interceptor = CircuitBreakerInterceptor::new(scene.breaker.clone());
    let mut client = InventoryClient::with_interceptor(shop.channel(), interceptor);
    client.count(article("-/14")).await.unwrap_err();
    scene.about_to_probe();
    let first = client.watch(article("0/never")).await.unwrap();
    client.count(article("3/0")).await.unwrap();
    assert!(scene.breaker.is_half_open());
    assert_eq!(scene.ended(), "");
    drop(first);
}

/// tonic requires a body that is `Default` and an error that is `Send + Sync`.
#[tokio::test]
async fn a_users_interceptor_goes_around_the_layer() {
    let shop = Open::shop().await;
    let scene = Scene::new();
    let layered = scene.layer().layer(shop.channel());
    let mut client = InventoryClient::with_interceptor(layered, |mut request: Request<()>| {
        request.metadata_mut().insert("token", "secret".parse().unwrap());
        Ok(request)
    });
    client.count(article("3/0")).await.unwrap();
    assert_eq!(scene.ended(), "success");
    scene.breaker.trip();
    let status = client.count(article("3/0")).await.unwrap_err();
    assert!(rejection(&status).is_some());
}
