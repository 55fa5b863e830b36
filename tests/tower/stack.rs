//! The layer among tower's own middleware.

use std::convert::Infallible;
use std::future::ready;
use std::task::Poll;

use halfopen::State;
use halfopen_tower::CircuitBreakerLayer;
use tower::buffer::Buffer;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::modes::{Mode, WaitWhileOpen};
use crate::world::{World, call, finish, in_runtime, poll_ready};
use test_support::service::{Do, Done, Readiness};

#[test]
fn a_load_shed_outside_sheds_what_waits_while_open() {
    in_runtime(async {
        let world = World::new();
        world.breaker.trip();

        let error = call(&mut LoadShed::new(WaitWhileOpen::service(&world)), Do::Succeed).unwrap_err();

        assert!(error.is::<Overloaded>());
    });
}

#[test]
fn a_buffer_waits_for_a_waiting_layer() {
    in_runtime(async {
        let world = World::new();
        let mut buffer = Buffer::new(WaitWhileOpen::service(&world), 4);
        world.breaker.force_open();
        let call = tokio::spawn(buffer.ready().await.unwrap().call(Do::Succeed));
        tokio::task::yield_now().await;
        assert!(!call.is_finished());

        world.breaker.reset();

        assert_eq!(call.await.unwrap().unwrap(), Done);
    });
}

#[tokio::test(start_paused = true)]
async fn a_dead_buffer_inside_opens_the_breaker() {
    let world = World::new();
    world.journal.become_(Readiness::Broken);
    let mut stack =
        CircuitBreakerLayer::new(world.breaker.clone()).layer(Buffer::new(world.journal.service(), 1));

    for _ in 0..3 {
        let result = match stack.ready().await {
            Ok(ready) => ready.call(Do::Succeed).await,
            Err(error) => Err(error),
        };
        assert!(result.is_err());
    }

    assert_eq!(world.breaker.state(), State::Open);
    let error = stack.ready().await.unwrap().call(Do::Succeed).await.unwrap_err();
    assert!(halfopen::rejection(&*error).is_some());
}

// The permit of an inner ConcurrencyLimit is a reservation: a rejecting clone must not hold it.
#[test]
fn a_rejecting_clone_starves_no_inner_limit() {
    let world = World::new();
    let shared_limit = GlobalConcurrencyLimitLayer::new(1);
    let guarded =
        CircuitBreakerLayer::new(world.breaker.clone()).layer(shared_limit.layer(world.journal.service()));
    let mut bare = shared_limit.layer(world.journal.service());
    world.breaker.trip();
    let mut rejecting = guarded;
    assert!(poll_ready(&mut rejecting).is_ready());

    assert!(poll_ready(&mut bare).is_ready());
    assert_eq!(finish(bare.call(Do::Succeed)), Ok(Done));
    assert!(finish(rejecting.call(Do::Succeed)).is_err());
}

#[test]
fn a_full_inner_limit_is_waited_for_while_closed() {
    let world = World::new();
    let limited = GlobalConcurrencyLimitLayer::new(1).layer(world.journal.service());
    let mut stack = CircuitBreakerLayer::new(world.breaker.clone()).layer(limited);
    let mut other = stack.clone();
    assert!(poll_ready(&mut stack).is_ready());
    let running = stack.call(Do::Succeed);
    assert!(poll_ready(&mut other).is_pending());

    world.breaker.trip();
    assert!(matches!(poll_ready(&mut other), Poll::Ready(Ok(()))));
    assert!(finish(other.call(Do::Succeed)).is_err());
    drop(running);
}

#[tokio::test]
async fn all_services_of_a_layer_learn_together() {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker.clone());
    for _ in 0..3 {
        let failing = layer.layer(service_fn(|()| ready(Err::<(), _>("down"))));
        assert!(failing.oneshot(()).await.is_err());
    }

    let another = layer.layer(service_fn(|()| ready(Ok::<_, Infallible>(()))));

    assert!(halfopen::rejection(&*another.oneshot(()).await.unwrap_err()).is_some());
}
