use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::subject::Subject;
use crate::violations::Violations;
use crate::{tasks, threads};

const THREADS: u64 = 8;

/// The end of a round.
#[derive(Clone, Copy)]
pub(crate) struct Until(Instant);

impl Until {
    pub(crate) fn after(length: Duration) -> Until {
        Until(now() + length)
    }

    pub(crate) fn over(self) -> bool {
        now() >= self.0
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a soak lasts is a matter of wall time")]
fn now() -> Instant {
    Instant::now()
}

/// Runs all threads and tasks concurrently; returns when every one of them has ended.
pub(crate) fn run(subjects: &Arc<Vec<Subject>>, violations: &Arc<Violations>, seed: u64, length: Duration) {
    let until = Until::after(length);
    thread::scope(|scope| {
        for number in 0..THREADS {
            scope.spawn(move || threads::calls(subjects, violations, seed + number, until));
        }
        scope.spawn(move || tasks::calls(subjects, violations, seed + THREADS, until));
    });
}
