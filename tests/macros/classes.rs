//! The arguments: a classifier, a fallback, an error.

use std::io;

use halfopen::{CircuitBreakerError, Outcome, Registry, Rejected, circuit_breaker};

use crate::{Error, global};

fn only_failed(result: &Result<u32, Error>) -> Outcome {
    match result {
        Err(Error::Failed) => Outcome::Failure,
        Ok(_) | Err(Error::Rejected(_)) => Outcome::Ignored,
    }
}

async fn cached(error: CircuitBreakerError<Error>) -> Result<u32, Error> {
    match error {
        CircuitBreakerError::Rejected(_) => Ok(42),
        CircuitBreakerError::Inner(error) => Err(error),
    }
}

#[circuit_breaker("all", registry = REGISTRY, classify = only_failed, fallback = cached,)]
async fn all(number: u32) -> Result<u32, Error> {
    if number == 0 { Err(Error::Failed) } else { Ok(number) }
}

static REGISTRY: std::sync::LazyLock<Registry> = std::sync::LazyLock::new(Registry::new);

#[tokio::test]
async fn all_arguments_work_together() {
    assert_eq!(all(1).await, Ok(1));
    assert_eq!(all(0).await, Err(Error::Failed));
    let breaker = REGISTRY.get("all").unwrap();
    assert_eq!((breaker.snapshot().totals.ignored, breaker.snapshot().totals.failures), (1, 1));

    breaker.force_open();
    assert_eq!(all(1).await, Ok(42), "the fallback answers a rejection");
}

fn cached_blocking(_: CircuitBreakerError<Error>) -> Result<u32, Error> {
    Ok(43)
}

#[circuit_breaker("all-blocking", classify = only_failed, fallback = cached_blocking)]
fn all_blocking(number: u32) -> Result<u32, Error> {
    if number == 0 { Err(Error::Failed) } else { Ok(number) }
}

#[test]
fn a_blocking_function_has_a_blocking_fallback() {
    assert_eq!((all_blocking(1), all_blocking(0)), (Ok(1), Ok(43)));
    let totals = global("all-blocking").snapshot().totals;
    assert_eq!((totals.ignored, totals.failures), (1, 1));
}

fn unavailable(rejected: Rejected) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, rejected)
}

#[circuit_breaker("own-error", error = unavailable)]
async fn own_error() -> io::Result<()> {
    Err(io::ErrorKind::TimedOut.into())
}

#[tokio::test]
async fn a_path_makes_the_error_of_a_rejection() {
    assert_eq!(own_error().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    global("own-error").force_open();
    let error = own_error().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(halfopen::rejection(&error).is_some(), "it is found in the error");
}

#[circuit_breaker("inner", error = io::Error::other)]
fn inner() -> io::Result<()> {
    Ok(())
}

#[circuit_breaker("outer", error = io::Error::other, classify = halfopen::errors())]
fn outer() -> io::Result<()> {
    inner()
}

#[test]
fn a_classifier_ignores_rejections_of_inner_calls() {
    global("inner").force_open();
    outer().unwrap_err();
    assert_eq!(global("outer").snapshot().totals.ignored, 1);
}
