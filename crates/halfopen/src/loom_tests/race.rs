//! Runs each model once with each of its racers on the first thread.
//!
//! Loom runs the first thread to its end, and then tries the steps of the others before its steps. Of two
//! accesses of one atomic by one thread it remembers only the last, so it does not try a swap before another
//! thread's load if a load of the swap's own thread comes first, unless that thread is the first. An
//! interleaving that one order misses, the other order reaches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loom::thread;

/// The racer that is on the first thread.
#[derive(Clone, Copy)]
pub(crate) struct Start(usize);

/// Runs a model of two racers, with each on the first thread once.
pub(crate) fn race(model: impl Fn(Start) + Clone + Send + Sync + 'static) {
    let executions: Vec<u64> = (0..2).map(|first| executions(Start(first), model.clone())).collect();
    // Racers that share no state prove nothing: their model has one execution only.
    assert!(executions.iter().any(|&executions| executions > 1), "the racers never met");
}

/// Runs a model to its end, and returns the number of its executions.
fn executions(start: Start, model: impl Fn(Start) + Send + Sync + 'static) -> u64 {
    // An atomic of the standard library, because loom must not track it, and it counts across executions.
    let counter = Arc::new(AtomicU64::new(0));
    let executions = Arc::clone(&counter);
    loom::model(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model(start);
    });
    executions.load(Ordering::Relaxed)
}

impl Start {
    /// Runs both racers to their ends, and returns their results in this order, whichever started first.
    pub(crate) fn two<A: 'static, B: 'static>(
        self,
        one: impl FnOnce() -> A + 'static,
        other: impl FnOnce() -> B + 'static,
    ) -> (A, B) {
        if self.0 == 0 {
            let other = thread::spawn(other);
            let one = one();
            (one, other.join().unwrap())
        } else {
            let one = thread::spawn(one);
            let other = other();
            (one.join().unwrap(), other)
        }
    }
}
