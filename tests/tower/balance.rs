//! `wait_while_open` under tower's balancer: an open endpoint receives no calls, and is used again later.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use halfopen::State;
use halfopen_tower::CircuitBreakerLayer;
use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::load::Constant;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::world::{WAIT, World};
use test_support::service::{Do, Done};

#[tokio::test(start_paused = true)]
async fn a_balancer_spares_an_open_endpoint() {
    let (sick, well) = (World::new(), World::new());
    let (sick_calls, well_calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (down, never_down) = (Arc::new(AtomicUsize::new(1)), Arc::<AtomicUsize>::default());
    let guard = |world: &World, calls, down| {
        let layer = CircuitBreakerLayer::new(world.breaker.clone()).wait_while_open();
        Constant::new(layer.layer(endpoint(calls, down)), 1)
    };
    let endpoints = vec![guard(&sick, &sick_calls, &down), guard(&well, &well_calls, &never_down)];
    let mut balance = Balance::new(ServiceList::new::<()>(endpoints));

    // The breaker opens at the third failure, and no later call fails.
    let mut failed = 0;
    for _ in 0..100 {
        failed += usize::from(balance.ready().await.unwrap().call(()).await.is_err());
    }
    assert_eq!((failed, sick_calls.load(Ordering::SeqCst)), (3, 3));
    assert_eq!(sick.breaker.state(), State::Open);
    assert_eq!(sick.totals().rejected, 0);

    down.store(0, Ordering::SeqCst);
    sick.clock.advance(WAIT);
    tokio::time::advance(WAIT + Duration::from_millis(1)).await;
    for _ in 0..100 {
        balance.ready().await.unwrap().call(()).await.unwrap();
    }
    assert_eq!(sick.breaker.state(), State::Closed);
    assert!(sick_calls.load(Ordering::SeqCst) > 10);
}

// Without another endpoint the balancer waits, and the end of the wait wakes it.
#[tokio::test(start_paused = true)]
async fn a_balancer_waits_for_its_only_open_endpoint() {
    let world = World::new();
    world.breaker.trip();
    let layer = CircuitBreakerLayer::new(world.breaker.clone()).wait_while_open();
    let only = Constant::new(layer.layer(world.journal.service()), 1);
    let mut balance = Balance::new(ServiceList::new::<Do>(vec![only]));
    let task = tokio::spawn(async move { balance.ready().await.unwrap().call(Do::Succeed).await });
    tokio::task::yield_now().await;
    assert!(!task.is_finished());

    world.clock.advance(WAIT);
    tokio::time::advance(WAIT + Duration::from_millis(1)).await;

    assert_eq!(task.await.unwrap().unwrap(), Done);
}

/// One endpoint of a balancer: counts its calls and fails while it is down.
fn endpoint(
    calls: &Arc<AtomicUsize>,
    down: &Arc<AtomicUsize>,
) -> impl Service<(), Response = (), Error = &'static str, Future: Send> + use<> {
    let (calls, down) = (Arc::clone(calls), Arc::clone(down));
    service_fn(move |()| {
        calls.fetch_add(1, Ordering::SeqCst);
        ready(if down.load(Ordering::SeqCst) > 0 { Err("down") } else { Ok(()) })
    })
}
