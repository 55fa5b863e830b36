//! The results that are failures, and the outcome of a rejection by another breaker.

use std::error::Error;
use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::panic::panic_any;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError, Classify, Outcome, Rejected, State,
};
use halfopen_tower::{BoxError, CircuitBreakerLayer};
use tower::load_shed::error::Overloaded;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::world::{WAIT, World, finish};
use test_support::service::{Do, Done};

/// Fails each call with a new error.
struct Fails<E>(fn() -> E);

impl<E> Service<()> for Fails<E> {
    type Response = ();
    type Error = E;
    type Future = Ready<Result<(), E>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Err((self.0)()))
    }
}

/// A user's error with a rejection as its source.
#[derive(Debug)]
struct Wrapped(Rejected);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("upstream said no")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn rejected() -> Rejected {
    let elsewhere = CircuitBreaker::new("elsewhere", CircuitBreakerConfig::default());
    elsewhere.force_open();
    elsewhere.try_acquire().err().unwrap()
}

fn outcome_boxed<E: Into<BoxError>>(error: fn() -> E) -> Outcome {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker.clone());
    assert!(finish(layer.layer(Fails(error)).oneshot(())).is_err());
    outcome(&world)
}

fn outcome_typed<E: 'static>(error: fn() -> E) -> Outcome {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker.clone()).typed_errors();
    assert!(finish(layer.layer(Fails(error)).oneshot(())).is_err());
    outcome(&world)
}

fn outcome_answered<E: 'static>(error: fn() -> E) -> Outcome {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker.clone()).on_rejected(|_, ()| Ok(()));
    assert!(finish(layer.layer(Fails(error)).oneshot(())).is_err());
    outcome(&world)
}

fn outcome(world: &World) -> Outcome {
    let totals = world.totals();
    match (totals.successes, totals.failures, totals.ignored, totals.calls()) {
        (1, 0, 0, 1) => Outcome::Success,
        (0, 1, 0, 1) => Outcome::Failure,
        (0, 0, 1, 1) => Outcome::Ignored,
        _ => panic!("not one outcome: {totals:?}"),
    }
}

#[test]
fn every_err_is_a_failure() {
    let boxed: fn() -> BoxError = || "down".into();
    assert_eq!(outcome_boxed(boxed), Outcome::Failure);
    assert_eq!(outcome_boxed(|| io::Error::other("down")), Outcome::Failure);
    assert_eq!(outcome_boxed(|| "down"), Outcome::Failure);
    assert_eq!(outcome_typed(boxed), Outcome::Failure);
    assert_eq!(outcome_typed(|| 500_u16), Outcome::Failure);
    assert_eq!(outcome_answered(|| io::Error::other("down")), Outcome::Failure);
}

#[test]
fn a_wrapped_rejection_of_another_breaker_is_ignored() {
    let boxed: [fn() -> BoxError; 5] = [
        || Box::new(rejected()),
        || Box::new(Wrapped(rejected())),
        || Box::new(io::Error::other(rejected())),
        || Box::new(Arc::new(rejected())),
        || Box::new(CircuitBreakerError::<io::Error>::Rejected(rejected())),
    ];
    for error in boxed {
        assert_eq!(outcome_boxed(error), Outcome::Ignored);
        assert_eq!(outcome_typed(error), Outcome::Ignored);
        assert_eq!(outcome_answered(error), Outcome::Ignored);
    }
    assert_eq!(outcome_boxed(|| Wrapped(rejected())), Outcome::Ignored);
    assert_eq!(outcome_typed(rejected), Outcome::Ignored);
    assert_eq!(outcome_typed(|| Arc::new(rejected())), Outcome::Ignored);
    assert_eq!(outcome_typed(|| io::Error::other(rejected())), Outcome::Ignored);
    assert_eq!(outcome_typed(|| CircuitBreakerError::<io::Error>::Rejected(rejected())), Outcome::Ignored);
    assert_eq!(
        outcome_typed(|| CircuitBreakerError::<BoxError>::Inner(Box::new(rejected()))),
        Outcome::Ignored
    );
}

#[test]
fn a_local_shed_is_ignored_however_it_is_wrapped() {
    let shed = Overloaded::new;
    let boxed: [fn() -> BoxError; 3] = [
        || Box::new(Overloaded::new()),
        || Box::new(io::Error::other(Overloaded::new())),
        || Box::new(CircuitBreakerError::Inner(Overloaded::new())),
    ];
    for error in boxed {
        assert_eq!(outcome_boxed(error), Outcome::Ignored);
        assert_eq!(outcome_typed(error), Outcome::Ignored);
        assert_eq!(outcome_answered(error), Outcome::Ignored);
    }
    assert_eq!(outcome_boxed(shed), Outcome::Ignored);
    assert_eq!(outcome_typed(shed), Outcome::Ignored);
    assert_eq!(outcome_answered(|| io::Error::other(Overloaded::new())), Outcome::Ignored);
}

#[test]
fn inner_rejections_do_not_open_an_outer_breaker() {
    let (outer, inner) = (World::new(), World::new());
    let service = service_fn(|request| ready(if request == Do::Fail { Err("down") } else { Ok(Done) }));
    let inner_layer = CircuitBreakerLayer::new(inner.breaker.clone());
    let mut stack = CircuitBreakerLayer::new(outer.breaker.clone()).layer(inner_layer.layer(service));
    inner.breaker.trip();

    for _ in 0..10 {
        assert!(finish(stack.call(Do::Succeed)).is_err());
    }

    assert_eq!(outer.breaker.state(), State::Closed);
    assert_eq!((outer.totals().ignored, inner.totals().rejected), (10, 10));
}

#[test]
fn a_closure_decides_without_a_word_about_types() {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker.clone()).classify_fn(|result| match result {
        Ok(_) => Outcome::Failure,
        Err(_) => Outcome::Ignored,
    });
    let service = layer.layer(service_fn(|ok: bool| ready(if ok { Ok(()) } else { Err("no") })));

    assert!(finish(service.clone().oneshot(true)).is_ok());
    assert!(finish(service.oneshot(false)).is_err());

    let totals = world.totals();
    assert_eq!((totals.failures, totals.ignored), (1, 1));
}

#[test]
fn a_classifier_receives_the_unboxed_error() {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker.clone());
    let layer = layer.classify_fn(|result: &Result<(), io::Error>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Outcome::Success,
        Ok(()) | Err(_) => Outcome::Failure,
    });

    let error = finish(layer.layer(Fails(|| io::ErrorKind::NotFound.into())).oneshot(())).unwrap_err();

    assert!(error.is::<io::Error>());
    assert_eq!(outcome(&world), Outcome::Success);
}

/// A named classifier, which also returns a retry hint.
#[derive(Clone)]
struct Busy;

impl Classify<(), u64> for Busy {
    fn classify(&self, _: &Result<(), u64>) -> Outcome {
        Outcome::Failure
    }

    fn retry_after(&self, result: &Result<(), u64>) -> Option<Duration> {
        result.err().map(Duration::from_secs)
    }
}

#[test]
fn a_hint_of_the_opening_failure_extends_the_wait() {
    let world = World::with(|config| config.backoff(Backoff::none()).hint_max(Duration::from_secs(60)));
    let layer = CircuitBreakerLayer::new(world.breaker.clone()).classify(Busy).typed_errors();
    let mut service = layer.layer(Fails(|| 30_u64));

    for _ in 0..3 {
        assert!(finish(service.call(())).is_err());
    }

    world.clock.advance(WAIT);
    assert_eq!(world.breaker.snapshot().retry_after, Some(Duration::from_secs(20)));
}

#[test]
fn a_shared_classifier_is_one() {
    let world = World::new();
    let shared: Arc<dyn Classify<(), u64> + Send + Sync> = Arc::new(Busy);
    let layer = CircuitBreakerLayer::new(world.breaker.clone()).classify(shared).typed_errors();

    assert!(finish(layer.layer(Fails(|| 1_u64)).oneshot(())).is_err());

    assert_eq!(outcome(&world), Outcome::Failure);
}

#[test]
fn a_panic_in_a_classifier_keeps_the_result() {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker.clone()).typed_errors();
    let layer = layer.classify_fn(|_: &Result<(), u64>| panic_any("in the classifier"));

    let result = finish(layer.layer(Fails(|| 7_u64)).oneshot(()));

    assert!(matches!(result, Err(CircuitBreakerError::Inner(7))));
    assert_eq!(world.totals().panics, 1);
    assert_eq!(outcome(&world), Outcome::Failure);
}

/// The default classifier walks the sources of the error, which are user code.
#[test]
fn an_error_whose_source_panics_is_a_failure() {
    #[derive(Debug)]
    struct Touchy;
    impl fmt::Display for Touchy {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("touchy")
        }
    }
    impl Error for Touchy {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic_any("in the error")
        }
    }
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker.clone());

    let error = finish(layer.layer(Fails(|| Touchy)).oneshot(())).unwrap_err();

    assert!(error.is::<Touchy>());
    assert_eq!(world.totals().panics, 1);
    assert_eq!(outcome(&world), Outcome::Failure);
}

#[test]
fn a_canned_response_is_no_success_of_the_service() {
    let world = World::new();
    world.breaker.trip();
    let layer = CircuitBreakerLayer::new(world.breaker.clone())
        .on_rejected(|rejected, name: &str| Ok(format!("{name} is not here: {}", rejected.name())));
    let service = layer.layer(service_fn(|name: &'static str| ready(Ok::<_, io::Error>(name.to_owned()))));

    assert_eq!(finish(service.oneshot("Ada")).unwrap(), "Ada is not here: inner");

    assert_eq!((world.totals().rejected, world.totals().calls()), (1, 0));
}
