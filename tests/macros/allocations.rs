//! The allocations of a function with the attribute.
//!
//! In a separate program: the allocator counts for all threads.

#[allow(dead_code, reason = "shared with the benches, which look at more")]
#[path = "../../benches/alloc.rs"]
mod alloc;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use halfopen::{CircuitBreakerError, circuit_breaker};

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

#[circuit_breaker("quiet")]
async fn call(parts: &[u64]) -> Result<u64, CircuitBreakerError<std::io::Error>> {
    Ok(parts.iter().sum())
}

#[circuit_breaker("quiet")]
fn call_blocking(parts: &[u64]) -> Result<u64, CircuitBreakerError<std::io::Error>> {
    Ok(parts.iter().sum())
}

#[test]
fn a_call_allocates_nothing() {
    calls();
    // The smallest of several runs, because the test harness allocates on a thread of its own.
    let allocations = (0..5).map(|_| alloc::watch(calls).1.allocations).min();
    assert_eq!(allocations, Some(0));
}

fn calls() {
    for _ in 0..100 {
        let answer = pin!(call(&[1, 2])).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(answer, Poll::Ready(Ok(3))));
        assert!(matches!(call_blocking(&[1, 2]), Ok(3)));
    }
}
