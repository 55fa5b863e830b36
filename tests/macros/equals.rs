//! A function with the attribute against the same call written by hand.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

use halfopen::{Registry, circuit_breaker};

use crate::{Error, global};

#[circuit_breaker("sized")]
async fn annotated(parts: [u64; 16], name: &str) -> Result<u64, Error> {
    tokio::task::yield_now().await;
    Ok(parts.iter().sum::<u64>() + name.len() as u64)
}

async fn by_hand(parts: [u64; 16], name: &str) -> Result<u64, Error> {
    let breaker = Registry::global().get_or_create("sized");
    breaker
        .call(move || async move {
            tokio::task::yield_now().await;
            Ok(parts.iter().sum::<u64>() + name.len() as u64)
        })
        .await
        .map_err(|error| error.into_inner_or_else(Error::from))
}

#[test]
fn the_future_is_as_large_as_one_by_hand() {
    let sizes = (size_of_val(&annotated([1; 16], "x")), size_of_val(&by_hand([1; 16], "x")));
    assert_eq!(sizes.0, sizes.1);
}

#[test]
fn the_future_is_sent_as_a_plain_one() {
    fn is_send<T: Send>(_: &T) {}
    // The argument can be sent and not shared.
    #[circuit_breaker("sent")]
    async fn sent(cell: std::cell::Cell<u32>) -> Result<u32, Error> {
        tokio::task::yield_now().await;
        Ok(cell.get())
    }
    is_send(&annotated([1; 16], "x"));
    is_send(&sent(std::cell::Cell::new(1)));
}

#[tokio::test]
async fn what_is_not_send_is_accepted() {
    #[circuit_breaker("local")]
    async fn local(shared: std::rc::Rc<u32>) -> Result<u32, Error> {
        tokio::task::yield_now().await;
        Ok(*shared)
    }
    assert_eq!(local(std::rc::Rc::new(7)).await, Ok(7));
}

#[circuit_breaker("panics")]
async fn panics(async_part: bool) -> Result<(), Error> {
    assert!(!async_part, "out of paper");
    Ok(())
}

#[circuit_breaker("panics")]
fn panics_blocking() -> Result<(), Error> {
    panic!("out of paper")
}

#[test]
fn a_panic_is_a_failure() {
    let poll = || pin!(panics(true)).poll(&mut Context::from_waker(Waker::noop())).is_ready();
    assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
    assert!(catch_unwind(panics_blocking).is_err());
    let totals = global("panics").snapshot().totals;
    assert_eq!((totals.failures, totals.abandoned), (2, 0));
}

#[circuit_breaker("cancelled")]
async fn hangs() -> Result<(), Error> {
    pending().await
}

#[test]
fn a_dropped_future_is_an_abandoned_call() {
    {
        let mut call = pin!(hangs());
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let totals = global("cancelled").snapshot().totals;
    assert_eq!((totals.abandoned, totals.failures), (1, 0));
}

#[test]
fn a_future_that_is_not_polled_makes_no_call() {
    drop(lazy());
    assert!(Registry::global().get("lazy").is_none(), "as of every `async fn`");
}

#[circuit_breaker("lazy")]
async fn lazy() -> Result<(), Error> {
    Ok(())
}

#[circuit_breaker("hygiene")]
async fn hygiene(breaker: u32, error: u32) -> Result<u32, Error> {
    Ok(breaker + error)
}

#[tokio::test]
async fn the_body_sees_no_name_of_the_expansion() {
    assert_eq!(hygiene(1, 2).await, Ok(3));
}

#[tokio::test]
async fn a_name_without_a_breaker_gets_one_by_the_rules() {
    let registry = Registry::builder().enabled_for("calm", false).build();
    #[circuit_breaker("calm", registry = registry)]
    async fn call(registry: &Registry) -> Result<(), Error> {
        Err(Error::Failed)
    }
    for _ in 0..100 {
        assert_eq!(call(&registry).await, Err(Error::Failed), "it is disabled, and never opens");
    }
}
