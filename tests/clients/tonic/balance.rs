//! `Channel::balance_list` and `balance_channel` hide their endpoints: a layer around one sees the whole set.
//! For a breaker per endpoint, create a channel for each.

use std::future::ready;
use std::ops::ControlFlow;

use futures_util::{StreamExt, stream};
use halfopen::{BoxError, CircuitBreaker, State, Trip, rejection};
use halfopen_http::WatchedBody;
use halfopen_tonic::GrpcCircuitBreakerLayer;
use tonic::body::Body;
use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use tower::Layer;
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::Constant;

use crate::connect::deserted;
use crate::proto::Stock;
use crate::proto::inventory_client::InventoryClient;
use crate::shop::Open;
use crate::{Protected, SECOND, Scene, article, ended};

/// The balancer chooses at random; it is practically impossible that all of these calls go to one of two
/// endpoints.
const MANY: usize = 200;

type Answer = Result<Response<Stock>, Status>;

/// Makes calls until the closure breaks.
async fn call_until(
    client: &mut InventoryClient<Protected>,
    mut enough: impl FnMut(Answer) -> ControlFlow<()>,
) {
    for _ in 0..MANY {
        if enough(client.count(article("3/0")).await).is_break() {
            return;
        }
    }
    panic!("never seen in {MANY} calls");
}

async fn assert_judged_as_one(channel: Channel) {
    let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(u32::MAX)));
    let (mut well, mut failed) = (0, 0);
    call_until(&mut scene.client(channel), |answer| {
        *(if answer.is_ok() { &mut well } else { &mut failed }) += 1;
        if well > 0 && failed > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await;
    let totals = scene.breaker.snapshot().totals;
    assert_eq!((totals.successes, totals.failures), (well, failed));
}

#[tokio::test]
async fn the_endpoints_of_a_balance_list_are_judged_as_one() {
    let shop = Open::shop().await;
    assert_judged_as_one(Channel::balance_list([deserted().await, shop.endpoint()].into_iter())).await;
}

#[tokio::test]
async fn endpoints_of_a_balance_channel_are_judged_as_one() {
    let shop = Open::shop().await;
    let (channel, changes) = Channel::balance_channel(2);
    changes.send(Change::Insert("dead", deserted().await)).await.unwrap();
    changes.send(Change::Insert("alive", shop.endpoint())).await.unwrap();
    assert_judged_as_one(channel).await;
}

/// The pitfall: failures of one endpoint block the others.
#[tokio::test]
async fn one_breaker_for_a_balance_list_rejects_for_all() {
    let shop = Open::shop().await;
    let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(1)));
    let mut client = scene.client(Channel::balance_list([deserted().await, shop.endpoint()].into_iter()));
    call_until(&mut client, |answer| match answer {
        Err(_) => ControlFlow::Break(()),
        Ok(_) => ControlFlow::Continue(()),
    })
    .await;
    assert_eq!(scene.breaker.state(), State::Open);
    assert!(rejection(&client.count(article("3/0")).await.unwrap_err()).is_some());
    InventoryClient::new(shop.channel()).count(article("3/0")).await.unwrap();
}

/// The solution: tower's balancer over a channel and a breaker per endpoint, which is not ready while it is
/// open.
fn balanced(
    endpoints: impl IntoIterator<Item = (CircuitBreaker, Endpoint)>,
) -> Buffer<http::Request<Body>, impl Future<Output = Result<http::Response<WatchedBody<Body>>, BoxError>>> {
    let endpoints = endpoints.into_iter().map(|(breaker, endpoint)| {
        let layer = GrpcCircuitBreakerLayer::new(breaker).wait_while_open();
        Constant::new(layer.layer(endpoint.connect_lazy()), 1)
    });
    let endpoints: Vec<_> = endpoints.collect();
    Buffer::new(Balance::new(ServiceList::new::<http::Request<Body>>(endpoints)), MANY)
}

#[tokio::test]
async fn a_dead_endpoint_is_left_out_and_rejects_nothing() {
    let shop = Open::shop().await;
    let (dead, alive) = (Scene::new(), Scene::new());
    let endpoints = [(dead.breaker.clone(), deserted().await), (alive.breaker.clone(), shop.endpoint())];
    let mut client = InventoryClient::new(balanced(endpoints));
    let mut failed = 0;
    for _ in 0..MANY {
        failed += usize::from(client.count(article("3/0")).await.is_err());
    }
    assert_eq!((failed, dead.ended().as_str()), (3, "failure failure failure"));
    assert_eq!(dead.breaker.snapshot().retry_after, Some(SECOND));
    assert_eq!(alive.breaker.state(), State::Closed);
    assert!(ended(&alive.breaker).split(' ').all(|outcome| outcome == "success"));
}

/// Two real servers, one of which shuts down.
#[tokio::test]
async fn of_two_replicas_the_one_that_is_down_is_left_out() {
    let (well, sick) = (Open::shop().await, Open::shop().await);
    let (well_scene, sick_scene) = (Scene::new(), Scene::new());
    let endpoints =
        [(well_scene.breaker.clone(), well.endpoint()), (sick_scene.breaker.clone(), sick.endpoint())];
    let mut client = InventoryClient::new(balanced(endpoints));
    drop(sick);
    let (mut failed, mut rejections) = (0, 0);
    for _ in 0..MANY {
        if let Err(status) = client.count(article("3/0")).await {
            failed += 1;
            rejections += usize::from(rejection(&status).is_some());
        }
    }
    assert!(failed <= 5, "{failed} of {MANY} calls failed with one of two replicas down");
    assert_eq!((rejections, sick_scene.breaker.snapshot().totals.rejected), (0, 0));
    assert_eq!(well_scene.breaker.state(), State::Closed);
}

/// Concurrent calls: those that find the endpoint ready before its breaker opens may be rejected, later ones
/// are not.
#[tokio::test]
async fn a_dead_endpoint_is_left_out_by_calls_that_overlap() {
    let shop = Open::shop().await;
    let (dead, alive) = (Scene::new(), Scene::new());
    let endpoints = [(dead.breaker.clone(), deserted().await), (alive.breaker.clone(), shop.endpoint())];
    let client = InventoryClient::new(balanced(endpoints));
    let calls = (0..MANY).map(|_| {
        let mut client = client.clone();
        async move { client.count(article("3/0")).await.is_err() }
    });
    let failed = stream::iter(calls).buffer_unordered(8).filter(|failed| ready(*failed)).count().await;
    let totals = dead.breaker.snapshot().totals;
    assert!(failed <= 3 + 8, "{failed} of {MANY}: {totals:?}");
    assert!(totals.rejected <= 8, "{totals:?}");
}
