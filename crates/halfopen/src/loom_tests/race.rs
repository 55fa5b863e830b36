//! How a model is run: with each of its racers on the first thread once.
//!
//! Loom runs the first thread as far as it goes and then looks for what the others could have done before.
//! Of two accesses to one atomic by one thread it remembers the last, so it does not try a swap before
//! another thread's load if a load of the swap's own thread comes first, unless that thread is the first.
//! What a model cannot find with one racer there, it finds with the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loom::thread;

/// Which of the racers is on the first thread.
#[derive(Clone, Copy)]
pub(crate) struct Start(usize);

/// Runs a model of two racers, with either on the first thread.
pub(crate) fn race(model: impl Fn(Start) + Clone + Send + Sync + 'static) {
    let executions: Vec<u64> = (0..2).map(|first| executions(Start(first), model.clone())).collect();
    // Racers that never meet prove nothing; there would be one execution only, whoever is first.
    assert!(executions.iter().any(|&executions| executions > 1), "the racers never met");
}

/// Runs a model to its end, and says how many executions it had.
fn executions(start: Start, model: impl Fn(Start) + Send + Sync + 'static) -> u64 {
    // Of the standard library: loom must not see it, and it counts across executions.
    let counter = Arc::new(AtomicU64::new(0));
    let executions = Arc::clone(&counter);
    loom::model(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model(start);
    });
    executions.load(Ordering::Relaxed)
}

impl Start {
    /// Runs both to their ends; gives what each gave, in this order whoever was first.
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
