//! The layer among tower's own middleware.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use fusebox::State;
use fusebox_tower::CircuitBreakerLayer;
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::limit::{ConcurrencyLimit, GlobalConcurrencyLimitLayer};
use tower::load::Constant;
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower::retry::{Policy, RetryLayer};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::inner::{Broken, Do, Done, Readiness};
use crate::modes::{Mode, WaitWhileOpen, holds};
use crate::world::{WAIT, World, call, finish, in_runtime, poll_ready};

mod any_mode {
    use super::*;

    holds!([
        it_may_be_boxed_and_cloned,
        under_a_retry_every_attempt_is_a_call,
        a_full_concurrency_limit_outside_holds_no_more_calls_than_it_allows,
        a_load_shed_outside_sheds_what_is_not_ready,
        a_mutable_reference_is_a_service_too,
    ] in [
        boxed: BoxedErrors,
        typed: TypedErrors,
        on_rejected: OnRejected,
        waiting: WaitWhileOpen,
    ]);

    fn it_may_be_boxed_and_cloned<M: Mode>() {
        let world = World::new();
        let boxed: BoxCloneSyncService<Do, Done, M::Error> = BoxCloneSyncService::new(M::service(&world));

        assert_eq!(finish(boxed.clone().oneshot(Do::Succeed)).ok(), Some(Done));
        let error = finish(boxed.oneshot(Do::Fail)).err().unwrap();
        assert_eq!(M::inner(error), Some(Broken::InCall));
    }

    fn under_a_retry_every_attempt_is_a_call<M: Mode>() {
        let world = World::new();
        let stack = RetryLayer::new(UnlessRejected::<M>::times(2)).layer(M::service(&world));

        let error = finish(stack.oneshot(Do::Fail)).err().unwrap();

        assert_eq!(M::inner(error), Some(Broken::InCall));
        assert_eq!((world.journal.calls(), world.totals().failures), (3, 3));
        assert_eq!(world.breaker.state(), State::Open);
    }

    fn a_full_concurrency_limit_outside_holds_no_more_calls_than_it_allows<M: Mode>() {
        let world = World::new();
        let mut stack = ConcurrencyLimit::new(M::service(&world), 1);
        let mut other = stack.clone();
        assert!(poll_ready(&mut stack).is_ready());
        let running = stack.call(Do::Hang);

        assert!(poll_ready(&mut other).is_pending());
        drop(running);
        assert_eq!(call(&mut other, Do::Succeed).ok(), Some(Done));
    }

    fn a_load_shed_outside_sheds_what_is_not_ready<M: Mode>() {
        let world = World::new();
        world.journal.become_(Readiness::Stuck);

        let error = call(&mut LoadShed::new(M::service(&world)), Do::Succeed).unwrap_err();

        assert!(error.is::<Overloaded>());
        assert_eq!(world.totals().calls(), 0);
    }

    fn a_mutable_reference_is_a_service_too<M: Mode>() {
        let world = World::new();

        assert!(call(&mut &mut M::service(&world), Do::Succeed).is_ok());
    }
}

mod rejecting_modes {
    use super::*;

    holds!([
        a_buffer_outlives_an_open_circuit,
        under_a_retry_a_rejection_is_the_last_attempt,
        a_concurrency_limit_outside_gets_its_permit_back_from_a_rejection,
        a_load_shed_outside_passes_rejections,
    ] in [boxed: BoxedErrors, typed: TypedErrors, on_rejected: OnRejected]);

    fn a_buffer_outlives_an_open_circuit<M: Mode>() {
        in_runtime(async {
            let world = World::new();
            let mut buffer = Buffer::new(M::service(&world), 4);
            world.breaker.trip();

            for _ in 0..3 {
                let error = buffer.ready().await.unwrap().call(Do::Succeed).await.unwrap_err();
                assert!(fusebox::rejection(&*error).is_some());
            }

            world.breaker.reset();
            assert_eq!(buffer.ready().await.unwrap().call(Do::Succeed).await.unwrap(), Done);
        });
    }

    fn under_a_retry_a_rejection_is_the_last_attempt<M: Mode>() {
        let world = World::new();
        let stack = RetryLayer::new(UnlessRejected::<M>::times(10)).layer(M::service(&world));

        let error = finish(stack.oneshot(Do::Fail)).err().unwrap();

        assert!(M::rejection(&error).is_some());
        assert_eq!((world.journal.calls(), world.totals().failures, world.totals().rejected), (3, 3, 1));
    }

    fn a_concurrency_limit_outside_gets_its_permit_back_from_a_rejection<M: Mode>() {
        let world = World::new();
        world.breaker.trip();
        let mut stack = ConcurrencyLimit::new(M::service(&world), 1);

        for _ in 0..3 {
            let error = call(&mut stack, Do::Succeed).err().unwrap();
            assert!(M::rejection(&error).is_some());
        }
    }

    fn a_load_shed_outside_passes_rejections<M: Mode>() {
        let world = World::new();
        world.breaker.trip();

        let error = call(&mut LoadShed::new(M::service(&world)), Do::Succeed).unwrap_err();

        assert!(fusebox::rejection(&*error).is_some());
    }
}

/// Tries again up to so many times, unless the breaker said no.
struct UnlessRejected<M> {
    times: usize,
    mode: PhantomData<fn() -> M>,
}

impl<M> UnlessRejected<M> {
    fn times(times: usize) -> Self {
        Self { times, mode: PhantomData }
    }
}

impl<M> Clone for UnlessRejected<M> {
    fn clone(&self) -> Self {
        Self::times(self.times)
    }
}

impl<M: Mode> Policy<Do, Done, M::Error> for UnlessRejected<M> {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Do, result: &mut Result<Done, M::Error>) -> Option<Self::Future> {
        if M::rejection(result.as_ref().err()?).is_some() {
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Do) -> Option<Do> {
        Some(*request)
    }
}

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
fn a_buffer_waits_for_an_open_circuit_that_is_waited_for() {
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
    assert!(fusebox::rejection(&*error).is_some());
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

#[tokio::test(start_paused = true)]
async fn a_balancer_leaves_an_open_endpoint_alone_until_it_comes_back() {
    let (sick, well) = (World::new(), World::new());
    let (sick_calls, well_calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (down, never_down) = (Arc::new(AtomicUsize::new(1)), Arc::<AtomicUsize>::default());
    let guard = |world: &World, calls, down| {
        let layer = CircuitBreakerLayer::new(world.breaker.clone()).wait_while_open();
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
