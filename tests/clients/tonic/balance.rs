//! `Channel::balance_list` and `balance_channel` hide their endpoints: a layer around one sees the whole
//! set. Who wants a breaker per endpoint makes a channel for each.

use std::ops::ControlFlow;

use halfopen::{CircuitBreaker, State, Trip, rejection};
use halfopen_http::GrpcClassify;
use halfopen_tower::CircuitBreakerLayer;
use tonic::transport::channel::Change;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use tower::Layer;
use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::load::Constant;

use crate::connect::deserted;
use crate::proto::Stock;
use crate::proto::inventory_client::InventoryClient;
use crate::shop::Open;
use crate::{Protected, SECOND, Scene, article, ended};

/// The balancer throws dice; that all of so many go to one of two endpoints does not happen.
const MANY: usize = 200;

type Answer = Result<Response<Stock>, Status>;

/// Calls until this says that it has seen enough.
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
async fn the_endpoints_of_a_balance_channel_are_judged_as_one() {
    let shop = Open::shop().await;
    let (channel, changes) = Channel::balance_channel(2);
    changes.send(Change::Insert("dead", deserted().await)).await.unwrap();
    changes.send(Change::Insert("alive", shop.endpoint())).await.unwrap();
    assert_judged_as_one(channel).await;
}

/// The trap: one endpoint's failures shut out the others.
#[tokio::test]
async fn a_dead_endpoint_of_a_balance_list_rejects_calls_that_another_would_have_answered() {
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

/// The way out: tower's balancer over a channel and a breaker each. The layer is that of `halfopen-tower`,
/// since a balancer can find it not ready while it is open; it judges the head of an answer.
#[tokio::test]
async fn with_a_channel_and_a_breaker_each_only_the_dead_endpoint_is_left_out() {
    let shop = Open::shop().await;
    let (dead, alive) = (Scene::new(), Scene::new());
    let guard = |breaker: &CircuitBreaker, endpoint: Endpoint| {
        let layer = CircuitBreakerLayer::new(breaker.clone()).wait_while_open();
        Constant::new(layer.classify(GrpcClassify::new()).layer(endpoint.connect_lazy()), 1)
    };
    let endpoints = vec![guard(&dead.breaker, deserted().await), guard(&alive.breaker, shop.endpoint())];
    let balance = Balance::new(ServiceList::new::<http::Request<tonic::body::Body>>(endpoints));
    let mut client = InventoryClient::new(balance);
    let mut failed = 0;
    for _ in 0..MANY {
        failed += usize::from(client.count(article("3/0")).await.is_err());
    }
    assert_eq!((failed, dead.ended().as_str()), (3, "failure failure failure"));
    assert_eq!(dead.breaker.snapshot().retry_after, Some(SECOND));
    assert_eq!(alive.breaker.state(), State::Closed);
    assert!(ended(&alive.breaker).split(' ').all(|outcome| outcome == "success"));
}
