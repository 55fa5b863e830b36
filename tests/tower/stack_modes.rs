//! The layer among tower's own middleware, in each of its modes.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use halfopen::State;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower::retry::{Policy, RetryLayer};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};

use crate::modes::{Mode, holds};
use crate::world::{World, call, finish, poll_ready};
use test_support::service::{Broken, Do, Done, Readiness};

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
    keyed: PerKey,
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

/// Retries up to this many times, unless the breaker rejected the call.
pub(crate) struct UnlessRejected<M> {
    times: usize,
    mode: PhantomData<fn() -> M>,
}

impl<M> UnlessRejected<M> {
    pub(crate) fn times(times: usize) -> Self {
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
