//! A hang, with the timeout inside the breaker and outside of it.

use std::borrow::Cow;
use std::time::Duration;

use halfopen::{Abandoned, State};
use halfopen_tower::{BoxError, CircuitBreakerLayer};
use tower::timeout::Timeout;
use tower::timeout::error::Elapsed;
use tower::{Layer, Service, ServiceExt};

use crate::modes::{Mode, holds, only};
use crate::world::{World, in_runtime};
use test_support::service::{Do, Done};

const LIMIT: Duration = Duration::from_secs(1);

holds!([
    a_timeout_outside_makes_a_hang_an_abandonment_which_never_opens,
    a_timeout_outside_opens_when_old_abandonments_are_failures,
    a_hanging_probe_that_is_cut_off_from_outside_lets_the_next_one_through,
] in [
    boxed: BoxedErrors,
    typed: TypedErrors,
    on_rejected: OnRejected,
    keyed: PerKey,
    waiting: WaitWhileOpen,
]);

/// Makes a call that hangs until a timeout ends it; both clocks move together.
async fn hang<S: Service<Do, Response = Done>>(world: &World, stack: &mut S)
where
    S::Error: std::fmt::Debug,
{
    let call = stack.ready().await.unwrap().call(Do::Hang);
    world.clock.advance(LIMIT);
    call.await.unwrap_err();
}

fn a_timeout_outside_makes_a_hang_an_abandonment_which_never_opens<M: Mode>() {
    in_runtime(async {
        let world = World::new();
        let mut stack = Timeout::new(M::service(&world), LIMIT);

        for _ in 0..10 {
            hang(&world, &mut stack).await;
        }

        assert_eq!((world.breaker.state(), world.totals().abandoned), (State::Closed, 10));
    });
}

fn a_timeout_outside_opens_when_old_abandonments_are_failures<M: Mode>() {
    in_runtime(async {
        let world = World::with(|config| config.abandoned(Abandoned::FailureAfter(LIMIT)));
        let mut stack = Timeout::new(M::service(&world), LIMIT);

        for _ in 0..3 {
            hang(&world, &mut stack).await;
        }

        let totals = world.totals();
        assert_eq!((world.breaker.state(), totals.failures, totals.abandoned), (State::Open, 3, 0));
    });
}

fn a_hanging_probe_that_is_cut_off_from_outside_lets_the_next_one_through<M: Mode>() {
    in_runtime(async {
        let world = World::probing();
        let mut stack = Timeout::new(M::service(&world), LIMIT);
        hang(&world, &mut stack).await;

        assert!(stack.ready().await.unwrap().call(Do::Succeed).await.is_ok());

        assert_eq!(world.breaker.state(), State::Closed);
    });
}

/// In each mode: the layer over a timeout, and the path from the mode's error to the timeout's.
macro_rules! a_timeout_inside {
    ($($mode:ident: |$breaker:ident| $layer:expr, |$error:ident| $inner:expr;)*) => { $(
        mod $mode {
            use super::*;

            #[test]
            fn a_timeout_inside_turns_a_hang_into_a_failure() {
                in_runtime(async {
                    let world = World::new();
                    let $breaker = world.breaker.clone();
                    let mut stack = $layer.layer(Timeout::new(world.journal.service(), LIMIT));

                    for _ in 0..3 {
                        let $error = stack.ready().await.unwrap().call(Do::Hang).await.unwrap_err();
                        let timeout: BoxError = $inner;
                        assert!(timeout.is::<Elapsed>());
                    }

                    assert_eq!((world.breaker.state(), world.totals().failures), (State::Open, 3));
                });
            }
        }
    )* };
}

a_timeout_inside! {
    inside_boxed: |breaker| CircuitBreakerLayer::new(breaker), |error| error;
    inside_typed: |breaker| CircuitBreakerLayer::new(breaker).typed_errors(), |error| error.into_inner().unwrap();
    inside_on_rejected: |breaker| CircuitBreakerLayer::new(breaker).on_rejected(|_, _| Ok(Done)), |error| error;
    inside_keyed: |breaker| CircuitBreakerLayer::keyed(only(breaker), |_| Cow::Borrowed("inner")), |error| error;
    inside_waiting: |breaker| CircuitBreakerLayer::new(breaker).wait_while_open(), |error| error;
}
