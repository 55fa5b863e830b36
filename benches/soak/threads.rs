use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use halfopen::{CircuitBreakerError, Outcome, Permit, Subscription};

use crate::ledger::throw;
use crate::rng::Rng;
use crate::round::Until;
use crate::subject::Subject;
use crate::violations::Violations;
use crate::{faults, operator};

/// Makes calls from a plain thread until the round is over.
pub(crate) fn calls(subjects: &[Subject], violations: &Arc<Violations>, seed: u64, until: Until) {
    let mut rng = Rng::new(seed);
    let mut subscriptions = Vec::new();
    while !until.over() {
        for _ in 0..64 {
            let subject = &subjects[rng.below(subjects.len() as u64) as usize];
            subject.ledger.allow_entry();
            one(subject, violations, &mut rng, &mut subscriptions);
        }
    }
}

fn one(
    subject: &Subject,
    violations: &Arc<Violations>,
    rng: &mut Rng,
    subscriptions: &mut Vec<Subscription>,
) {
    match rng.below(200) {
        0..90 => permit(subject, rng),
        90..105 => blocking(subject, rng),
        105..115 => panicking(subject, rng),
        115..140 => polled(subject, rng),
        140..150 => misjudged(subject, rng),
        150..170 => handed_over(subject, rng),
        170..176 => announced(subject),
        176..192 => looked_at(subject, violations),
        192..196 => operator::act(subject, rng),
        196..199 => {
            if subscriptions.len() >= 3 || rng.one_in(2) {
                subscriptions.pop();
            } else {
                subscriptions.extend(faults::subscribe(subject, rng));
            }
        }
        _ => operator::live_and_die(rng),
    }
}

/// A permit, ended in each of the possible ways.
fn permit(subject: &Subject, rng: &mut Rng) {
    let Some(permit) = subject.ledger.seen(subject.breaker.try_acquire()) else { return };
    work(rng);
    if subject.is_sick(rng) { permit.failure() } else { end_well(permit, rng) }
}

fn end_well(permit: Permit<'_>, rng: &mut Rng) {
    let took = Duration::from_micros(rng.below(3_000));
    match rng.below(24) {
        0 => drop(permit),
        1 => permit.ignore(),
        2 => permit.abandon(),
        3 => permit.record_after(Outcome::Success, took),
        4 => permit.failure_with_hint(took),
        5 => permit.record_after(Outcome::Failure, took),
        6 => permit.record(Outcome::Ignored),
        _ => permit.success(),
    }
}

fn work(rng: &mut Rng) {
    if rng.one_in(16) {
        std::thread::yield_now();
    }
}

fn blocking(subject: &Subject, rng: &mut Rng) {
    let sick = subject.is_sick(rng);
    let result = subject.breaker.call_blocking(|| {
        subject.ledger.permits.add();
        if sick { Err("sick") } else { Ok(()) }
    });
    note_rejection(subject, &result);
}

fn note_rejection<T, E>(subject: &Subject, result: &Result<T, CircuitBreakerError<E>>) {
    if let Err(CircuitBreakerError::Rejected(_)) = result {
        subject.ledger.rejections.add();
    }
}

/// A panic in the protected call, or while a permit is held.
fn panicking(subject: &Subject, rng: &mut Rng) {
    let bare = rng.one_in(2);
    let _ = catch_unwind(AssertUnwindSafe(|| {
        if bare {
            let _permit = subject.ledger.seen(subject.breaker.try_acquire());
            throw();
        }
        let result = subject.breaker.call_blocking(|| -> Result<(), ()> {
            subject.ledger.permits.add();
            throw()
        });
        note_rejection(subject, &result);
    }));
}

/// A future that is polled to completion, or polled several times and then dropped.
fn polled(subject: &Subject, rng: &mut Rng) {
    let (sick, waits, polls) = (subject.is_sick(rng), rng.below(4), rng.below(6));
    let call = subject.breaker.call(|| {
        subject.ledger.permits.add();
        wait_then(waits, if sick { Err("sick") } else { Ok(()) })
    });
    let mut call = pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(result) = call.as_mut().poll(&mut context) {
            return note_rejection(subject, &result);
        }
    }
}

/// Pending for this number of polls.
pub(crate) async fn wait_then<T>(mut waits: u64, result: T) -> T {
    poll_fn(|context| {
        if waits == 0 {
            return Poll::Ready(());
        }
        waits -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    result
}

/// A classifier that panics, or that classifies an error as no failure.
fn misjudged(subject: &Subject, rng: &mut Rng) {
    let panics = rng.one_in(4);
    let call = subject.breaker.call_classified(
        || {
            subject.ledger.permits.add();
            wait_then(0, Err::<(), _>("sick"))
        },
        |_| if panics { subject.ledger.throw() } else { Outcome::Ignored },
    );
    let mut call = pin!(call);
    if let Poll::Ready(result) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        note_rejection(subject, &result);
    }
}

/// A permit that another thread ends, possibly much later.
fn handed_over(subject: &Subject, rng: &mut Rng) {
    const MOST: usize = 16;
    if rng.one_in(2) {
        let taken = subject.pool().pop();
        match taken {
            Some(permit) if subject.is_sick(rng) => permit.failure(),
            Some(permit) if rng.one_in(4) => drop(permit),
            Some(permit) => permit.success(),
            None => {}
        }
    } else if let Some(permit) = subject.ledger.seen(subject.breaker.try_acquire_owned()) {
        let mut pool = subject.pool();
        if pool.len() < MOST {
            pool.push(permit);
        } else {
            // Ended outside the lock: listeners may run.
            drop(pool);
            permit.ignore();
        }
    }
}

/// The sequence of an adapter that checks first and rejects later.
fn announced(subject: &Subject) {
    if let Err(rejected) = subject.breaker.check() {
        halfopen::adapter::count_rejection(&subject.breaker, &rejected);
        subject.ledger.rejections.add();
    }
}

fn looked_at(subject: &Subject, violations: &Arc<Violations>) {
    let snapshot = subject.breaker.snapshot();
    let counts = snapshot.counts;
    violations
        .unless(counts.calls == counts.successes + counts.failures && counts.slow <= counts.calls, || {
            format!("{}: a snapshot that does not add up: {counts:?}", snapshot.name)
        });
    let explained = subject.breaker.explain();
    violations.unless(!explained.is_empty(), || format!("{}: nothing to explain", snapshot.name));
}
