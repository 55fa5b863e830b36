use std::sync::Arc;
use std::time::Duration;

use halfopen::{CircuitBreakerError, Event};
use tokio::task::{JoinSet, yield_now};

use crate::ledger::throw;
use crate::rng::Rng;
use crate::round::Until;
use crate::subject::Subject;
use crate::threads::wait_then;
use crate::violations::Violations;

const TASKS: u64 = 16;

/// Makes calls from tasks until the round is over; returns when every task and all tasks it spawned have ended.
pub(crate) fn calls(subjects: &Arc<Vec<Subject>>, violations: &Arc<Violations>, seed: u64, until: Until) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for number in 0..TASKS {
            let (subjects, violations) = (Arc::clone(subjects), Arc::clone(violations));
            tasks.spawn(async move { call(&subjects, &violations, seed + number, until).await });
        }
        while let Some(ended) = tasks.join_next().await {
            violations.unless(ended.is_ok(), || format!("a task ended with {ended:?}"));
        }
    });
}

async fn call(subjects: &Arc<Vec<Subject>>, violations: &Violations, seed: u64, until: Until) {
    let mut rng = Rng::new(seed);
    while !until.over() {
        for _ in 0..16 {
            let place = rng.below(subjects.len() as u64) as usize;
            match rng.below(16) {
                0 => in_a_task(subjects, place, true, &mut rng).await,
                1 => in_a_task(subjects, place, false, &mut rng).await,
                2 => timed_out(&subjects[place], &mut rng).await,
                3 => listened_to(&subjects[place], violations, &mut rng).await,
                _ => plain(&subjects[place], &mut rng).await,
            }
        }
    }
}

async fn plain(subject: &Subject, rng: &mut Rng) {
    let (sick, waits) = (subject.is_sick(rng), rng.below(3));
    let call = subject.breaker.call(|| {
        subject.ledger.permits.add();
        wait_then(waits, if sick { Err("sick") } else { Ok(()) })
    });
    if let Err(CircuitBreakerError::Rejected(_)) = call.await {
        subject.ledger.rejections.add();
    }
}

/// A call in a spawned task that panics or is aborted.
async fn in_a_task(subjects: &Arc<Vec<Subject>>, place: usize, panics: bool, rng: &mut Rng) {
    let (subjects, waits) = (Arc::clone(subjects), rng.between(1, 6));
    let task = tokio::spawn(async move {
        let subject = &subjects[place];
        let call = subject.breaker.call(|| async {
            subject.ledger.permits.add();
            wait_then(waits, ()).await;
            if panics {
                throw();
            }
            Ok::<(), ()>(())
        });
        if let Err(CircuitBreakerError::Rejected(_)) = call.await {
            subject.ledger.rejections.add();
        }
    });
    yield_now().await;
    if !panics {
        task.abort();
    }
    // Also an aborted task: its permit has ended when this returns.
    let _ = task.await;
}

/// A call that its caller cancels.
async fn timed_out(subject: &Subject, rng: &mut Rng) {
    let limit = Duration::from_micros(rng.below(100));
    let call = subject.breaker.call(|| {
        subject.ledger.permits.add();
        wait_then(50, Ok::<(), ()>(()))
    });
    if let Ok(Err(CircuitBreakerError::Rejected(_))) = tokio::time::timeout(limit, call).await {
        subject.ledger.rejections.add();
    }
}

/// A receiver with a small buffer: the changes it receives are in order, regardless of the ones it misses.
async fn listened_to(subject: &Subject, violations: &Violations, rng: &mut Rng) {
    let mut events = subject.breaker.events_with_capacity(rng.between(1, 16) as usize);
    let mut last = 0;
    for _ in 0..rng.below(32) {
        yield_now().await;
        let Some(Event::StateChanged(change)) = events.try_recv() else { continue };
        violations.unless(change.sequence > last, || {
            format!("{}: change {} was received after {last}", change.name, change.sequence)
        });
        last = change.sequence;
    }
}
