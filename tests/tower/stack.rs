//! The layer among tower's own middleware.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use fusebox::{CircuitBreaker, State};
use fusebox_tower::{BoxError, CircuitBreakerLayer};
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load::Constant;
use tower::retry::{Policy, RetryLayer};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::inner::{Broken, Do, Done, Readiness};
use crate::modes::{BoxedErrors, Mode};
use crate::world::{WAIT, World, call, finish, poll_ready};

#[tokio::test(start_paused = true)]
async fn a_buffer_outlives_an_open_circuit() {
    let world = World::new();
    let mut buffer = Buffer::new(BoxedErrors::service(&world), 4);
    world.breaker.trip();

    for _ in 0..3 {
        let error = buffer.ready().await.unwrap().call(Do::Succeed).await.unwrap_err();
        assert!(fusebox::rejection(&*error).is_some());
    }

    world.breaker.reset();
    assert_eq!(buffer.ready().await.unwrap().call(Do::Succeed).await.unwrap(), Done);
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
    assert!(fusebox::rejection(&*error).is_some());
}

/// Tries again up to so many times, unless the breaker said no.
#[derive(Clone)]
struct UnlessRejected(usize);

impl<T> Policy<Do, T, BoxError> for UnlessRejected {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Do, result: &mut Result<T, BoxError>) -> Option<Self::Future> {
        let error = result.as_ref().err()?;
        if fusebox::rejection(&**error).is_some() {
            return None;
        }
        self.0 = self.0.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Do) -> Option<Do> {
        Some(*request)
    }
}

#[tokio::test]
async fn under_a_retry_every_attempt_is_a_call_and_a_rejection_is_the_last_one() {
    let world = World::new();
    let stack = RetryLayer::new(UnlessRejected(10)).layer(BoxedErrors::service(&world));

    let error = stack.oneshot(Do::Fail).await.unwrap_err();

    assert!(fusebox::rejection(&*error).is_some());
    assert_eq!((world.journal.calls(), world.totals().failures, world.totals().rejected), (3, 3, 1));
}

// The permit of a ConcurrencyLimit inside is a reservation: a rejecting clone must not sit on it.
#[tokio::test]
async fn a_rejecting_clone_starves_no_other_of_a_concurrency_limit_inside() {
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

#[tokio::test]
async fn a_full_concurrency_limit_inside_is_waited_for_while_closed_and_not_while_open() {
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
async fn a_concurrency_limit_outside_gets_its_permit_back_from_a_rejection() {
    let world = World::new();
    world.breaker.trip();
    let mut stack = ServiceBuilder::new().concurrency_limit(1).service(BoxedErrors::service(&world));

    for _ in 0..3 {
        assert!(stack.ready().await.unwrap().call(Do::Succeed).await.is_err());
    }
}

#[tokio::test]
async fn a_load_shed_outside_sheds_what_is_not_ready_and_passes_rejections() {
    let world = World::new();
    let mut stack = ServiceBuilder::new().load_shed().service(BoxedErrors::service(&world));
    world.journal.become_(Readiness::Stuck);
    let shed = stack.ready().await.unwrap().call(Do::Succeed).await.unwrap_err();
    assert!(shed.is::<tower::load_shed::error::Overloaded>());

    world.breaker.trip();
    let rejected = stack.ready().await.unwrap().call(Do::Succeed).await.unwrap_err();
    assert!(fusebox::rejection(&*rejected).is_some());
}

#[tokio::test]
async fn it_may_be_boxed_and_cloned() {
    let world = World::new();
    let boxed: BoxCloneSyncService<Do, Done, BoxError> =
        BoxCloneSyncService::new(BoxedErrors::service(&world));

    assert_eq!(boxed.clone().oneshot(Do::Succeed).await.unwrap(), Done);
    let error = boxed.oneshot(Do::Fail).await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Broken::InCall));
}

#[test]
fn a_shared_reference_service_works_as_any_other() {
    let world = World::new();
    let mut stack = BoxedErrors::service(&world);

    assert!(call(&mut &mut stack, Do::Succeed).is_ok());
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

    assert!(fusebox::rejection(&*another.oneshot(()).await.unwrap_err()).is_some());
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

fn endpoint_breaker(world: &World) -> CircuitBreaker {
    world.breaker.clone()
}

#[tokio::test(start_paused = true)]
async fn a_balancer_leaves_an_open_endpoint_alone_until_it_comes_back() {
    let (sick, well) = (World::new(), World::new());
    let (sick_calls, well_calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (down, never_down) = (Arc::new(AtomicUsize::new(1)), Arc::<AtomicUsize>::default());
    let guard = |world: &World, calls, down| {
        let layer = CircuitBreakerLayer::new(endpoint_breaker(world)).wait_while_open();
        Constant::new(layer.layer(endpoint(calls, down)), 1)
    };
    let endpoints = vec![guard(&sick, &sick_calls, &down), guard(&well, &well_calls, &never_down)];
    let mut balance = Balance::new(ServiceList::new::<()>(endpoints));

    // The breaker opens at the third failure, and from then on nobody sees another one.
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

// With nobody else to ask, a balancer waits, and the end of the wait wakes it.
#[tokio::test(start_paused = true)]
async fn a_balancer_with_nothing_but_an_open_endpoint_waits_for_it() {
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
