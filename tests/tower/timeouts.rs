//! A hang, with the timeout inside the breaker and outside of it.

use std::future::pending;
use std::io;
use std::time::Duration;

use fusebox::{Abandoned, State};
use fusebox_tower::{BoxError, CircuitBreakerLayer};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::world::World;

const LIMIT: Duration = Duration::from_secs(1);

async fn hangs(_: ()) -> Result<(), io::Error> {
    pending().await
}

/// Makes calls that hang until the timeout ends them; both clocks move together.
async fn hang_three_times<S>(world: &World, mut stack: S)
where
    S: Service<(), Response = (), Error = BoxError>,
{
    for _ in 0..3 {
        let call = stack.ready().await.unwrap().call(());
        world.clock.advance(LIMIT);
        assert!(call.await.unwrap_err().is::<tower::timeout::error::Elapsed>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_turns_a_hang_into_a_failure_and_opens() {
    let world = World::new();
    let stack = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::new(world.breaker.clone()))
        .timeout(LIMIT)
        .service(service_fn(hangs));

    hang_three_times(&world, stack).await;

    assert_eq!((world.breaker.state(), world.totals().failures), (State::Open, 3));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_makes_a_hang_an_abandonment_which_never_opens() {
    let world = World::new();
    let stack = ServiceBuilder::new()
        .timeout(LIMIT)
        .layer(CircuitBreakerLayer::new(world.breaker.clone()))
        .service(service_fn(hangs));

    hang_three_times(&world, stack).await;

    assert_eq!((world.breaker.state(), world.totals().abandoned), (State::Closed, 3));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_opens_when_old_abandonments_are_failures() {
    let world = World::with(|config| config.abandoned(Abandoned::FailureAfter(LIMIT)));
    let stack = ServiceBuilder::new()
        .timeout(LIMIT)
        .layer(CircuitBreakerLayer::new(world.breaker.clone()))
        .service(service_fn(hangs));

    hang_three_times(&world, stack).await;

    let totals = world.totals();
    assert_eq!((world.breaker.state(), totals.failures, totals.abandoned), (State::Open, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_probe_that_is_cut_off_from_outside_lets_the_next_one_through() {
    let world = World::probing();
    let mut stack = ServiceBuilder::new()
        .timeout(LIMIT)
        .layer(CircuitBreakerLayer::new(world.breaker.clone()))
        .service(service_fn(|hang: bool| async move {
            if hang { pending().await } else { Ok::<_, io::Error>(()) }
        }));
    assert!(stack.ready().await.unwrap().call(true).await.is_err());

    stack.ready().await.unwrap().call(false).await.unwrap();

    assert_eq!(world.breaker.state(), State::Closed);
}
