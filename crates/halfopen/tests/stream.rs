//! Streams through a breaker.
#![cfg(all(feature = "stream", feature = "test-util"))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use halfopen::{CircuitBreaker, CircuitBreakerError, Clock, ManualClock, Outcome, State, Totals};

type Item = Result<u32, &'static str>;

#[test]
fn the_first_item_is_the_outcome() {
    for (first, (successes, failures)) in [(Ok(1), (1, 0)), (Err("down"), (0, 1))] {
        let (breaker, _) = breaker();
        let mut stream = Box::pin(breaker.protect_stream(stream::iter([first, Ok(2), Ok(3)])));
        let _ = poll(&mut stream);
        let totals = totals(&breaker);
        assert_eq!((totals.successes, totals.failures), (successes, failures));
        drop(stream);
        assert_eq!(totals.abandoned, 0);
    }
}

#[test]
fn nothing_is_asked_before_the_first_poll() {
    let (breaker, _) = breaker();
    drop(breaker.protect_stream(stream::iter([Item::Ok(1)])));
    assert_eq!(totals(&breaker).calls(), 0);
}

#[test]
fn the_end_before_any_item_is_a_success() {
    let (breaker, _) = breaker();
    let mut stream = Box::pin(breaker.protect_stream(stream::empty::<Item>()));
    assert!(matches!(poll(&mut stream), Poll::Ready(None)));
    assert!(matches!(poll(&mut stream), Poll::Ready(None)));
    assert_eq!(totals(&breaker).successes, 1);
}

#[test]
fn the_drop_before_any_item_is_an_abandoned_call() {
    let (breaker, _) = breaker();
    let mut stream = Box::pin(breaker.protect_stream(stream::pending::<Item>()));
    assert!(poll(&mut stream).is_pending());
    drop(stream);
    assert_eq!(totals(&breaker).abandoned, 1);
}

#[test]
fn a_drop_by_a_panic_elsewhere_is_no_failure() {
    let (breaker, _) = breaker();
    let mut stream = Box::pin(breaker.protect_stream(stream::pending::<Item>()));
    assert!(poll(&mut stream).is_pending());
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _dropped_by_the_panic = stream;
        panic!("elsewhere");
    }));
    assert!(panicked.is_err());
    assert_eq!((totals(&breaker).abandoned, totals(&breaker).failures), (1, 0));
}

#[test]
fn a_panic_of_the_inner_stream_is_a_failure() {
    let (breaker, _) = breaker();
    let broken = stream::poll_fn(|_| -> Poll<Option<Item>> { panic!("inner") });
    let mut stream = Box::pin(breaker.protect_stream(broken));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut stream))).is_err());
    assert_eq!(totals(&breaker).failures, 1);
    assert!(matches!(poll(&mut stream), Poll::Ready(None)));
}

#[test]
fn a_rejection_is_yielded_once_and_ends_the_stream() {
    let (breaker, _) = breaker();
    breaker.force_open();
    let mut stream = Box::pin(breaker.protect_stream(stream::iter([Item::Ok(1)])));
    assert!(matches!(poll(&mut stream), Poll::Ready(Some(Err(CircuitBreakerError::Rejected(_))))));
    assert_eq!(stream.size_hint(), (0, Some(0)));
    assert!(matches!(poll(&mut stream), Poll::Ready(None)));
    assert_eq!(totals(&breaker).rejected, 1);
}

#[test]
fn a_later_error_is_a_call_of_its_own_while_closed() {
    let (breaker, _) = breaker();
    let items = [Ok(1), Ok(2), Err("reset"), Ok(3), Err("reset")];
    let mut stream = Box::pin(breaker.protect_stream(stream::iter(items)));
    for _ in 0..3 {
        let _ = poll(&mut stream);
    }
    assert_eq!((totals(&breaker).successes, totals(&breaker).failures), (1, 1));
    breaker.force_open();
    let _ = poll(&mut stream);
    let _ = poll(&mut stream);
    assert_eq!((totals(&breaker).failures, totals(&breaker).rejected), (1, 0));
}

#[test]
fn a_stream_that_lives_for_days_holds_no_probes_slot() {
    let (breaker, hands) = breaker();
    breaker.open_for(Duration::ZERO);
    let items = stream::poll_fn({
        let mut first = Some(Item::Ok(1));
        move |_| first.take().map_or(Poll::Pending, |item| Poll::Ready(Some(item)))
    });
    let mut stream = Box::pin(breaker.protect_stream(items));
    let _ = poll(&mut stream);
    hands.advance(Duration::from_secs(86_400));
    assert!(poll(&mut stream).is_pending());
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn until_end_is_one_call_to_the_end() {
    let (breaker, _) = breaker();
    let mut stream = Box::pin(breaker.protect_stream(stream::iter([Item::Ok(1), Ok(2)])).until_end());
    let _ = poll(&mut stream);
    let _ = poll(&mut stream);
    assert_eq!(totals(&breaker).calls(), 0);
    let _ = poll(&mut stream);
    assert_eq!(totals(&breaker).successes, 1);
}

#[test]
fn until_end_ends_with_the_first_error_or_a_drop() {
    let (breaker, _) = breaker();
    let mut failing =
        Box::pin(breaker.protect_stream(stream::iter([Ok(1), Err("reset"), Ok(2)])).until_end());
    while let Poll::Ready(Some(_)) = poll(&mut failing) {}
    assert_eq!((totals(&breaker).failures, totals(&breaker).calls()), (1, 1));

    let mut dropped = Box::pin(breaker.protect_stream(stream::iter([Item::Ok(1), Ok(2)])).until_end());
    let _ = poll(&mut dropped);
    drop(dropped);
    assert_eq!(totals(&breaker).abandoned, 1);
}

#[test]
fn per_item_records_items_until_the_breaker_opens() {
    let (breaker, _) = breaker();
    let items = [Ok(1), Err("reset"), Ok(2), Ok(3)];
    let mut stream = Box::pin(breaker.protect_stream(stream::iter(items)).per_item());
    for _ in 0..3 {
        let _ = poll(&mut stream);
    }
    assert_eq!((totals(&breaker).successes, totals(&breaker).failures), (2, 1));
    breaker.trip();
    assert!(matches!(poll(&mut stream), Poll::Ready(Some(Err(CircuitBreakerError::Rejected(_))))));
    assert!(matches!(poll(&mut stream), Poll::Ready(None)));
}

#[test]
fn per_item_the_end_after_an_item_is_ignored() {
    let (breaker, _) = breaker();
    let mut stream = Box::pin(breaker.protect_stream(stream::iter([Item::Ok(1)])).per_item());
    while let Poll::Ready(Some(_)) = poll(&mut stream) {}
    assert_eq!((totals(&breaker).successes, totals(&breaker).ignored), (1, 1));
}

#[test]
fn a_classifier_determines_the_outcome_of_an_item() {
    let (breaker, _) = breaker();
    let classify = |item: &Item| if *item == Err("gone") { Outcome::Ignored } else { Outcome::Failure };
    let items = stream::iter([Err("gone"), Err("reset")]);
    let mut stream = Box::pin(breaker.protect_stream_with(items, classify));
    let _ = poll(&mut stream);
    let _ = poll(&mut stream);
    assert_eq!((totals(&breaker).ignored, totals(&breaker).failures), (1, 1));
}

#[test]
fn later_items_move_no_later_visit() {
    for as_probe in [false, true] {
        let (breaker, hands) = breaker();
        if as_probe {
            breaker.trip();
            hands.advance_to_probe(&breaker);
        }
        let items = stream::iter([Ok(1), Err("in its own visit"), Err("in a later one")]);
        let mut stream = Box::pin(breaker.protect_stream(items));
        let _ = poll(&mut stream);
        let _ = poll(&mut stream);
        assert_eq!(breaker.snapshot().counts.failures, 1, "as a probe: {as_probe}");

        breaker.reset();
        let _ = poll(&mut stream);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.counts.calls, snapshot.totals.late), (0, 1), "as a probe: {as_probe}");
        assert_eq!(snapshot.totals.rejected, 0);
    }
}

fn poll<S: Stream>(stream: &mut Pin<Box<S>>) -> Poll<Option<S::Item>> {
    stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop()))
}

fn breaker() -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder("feed").clock(clock).build(), hands)
}

fn totals(breaker: &CircuitBreaker) -> Totals {
    breaker.snapshot().totals
}
