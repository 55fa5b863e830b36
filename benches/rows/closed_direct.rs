use std::hint::black_box;

use failsafe::CircuitBreaker as _;
use halfopen::{CircuitBreakerConfig, Outcome};

use crate::configs;
use crate::harness::{Case, measure};
use crate::peers::{self, Floor, MutexRing};
use crate::services::Failed;
use crate::table::Group;

/// Closed and successful, called directly.
pub(crate) fn group() -> Group {
    let timings = measure(cases());
    Group::of_timings("Direct call, closed, success", &timings, "bare", "load + fetch_add")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![case("bare", |n| answer(n).is_ok())];
    let floor = Floor::default();
    cases.push(case("load + fetch_add", move |n| floor.call(|| answer(n)).is_ok()));
    for (name, config) in configs::ours() {
        let breaker = configs::warm(&config);
        cases.push(case(name, move |n| breaker.call_blocking(|| answer(n)).is_ok()));
    }
    let breaker = configs::warm(&CircuitBreakerConfig::adaptive());
    cases.push(case("halfopen, adaptive", move |n| breaker.call_blocking(|| answer(n)).is_ok()));
    // One in four is below break-even: the breaker doubts, weighs every call, and stays closed.
    let breaker = configs::warm(&CircuitBreakerConfig::adaptive());
    cases.push(case("halfopen, adaptive, in doubt", move |n| {
        let outcome = if n % 4 == 0 { Outcome::Failure } else { Outcome::Success };
        breaker.try_acquire().map(|permit| permit.record(outcome)).is_ok()
    }));
    // A shadow that is gone costs nothing, and one that is there a lock, the decision and the tables.
    let breaker = configs::warm(&configs::count());
    drop(breaker.shadow("gone", configs::count()));
    cases.push(case("halfopen, count 100, after a shadow", move |n| {
        breaker.call_blocking(|| answer(n)).is_ok()
    }));
    let breaker = configs::warm(&configs::count());
    let shadow = breaker.shadow("candidate", configs::count()).expect("the first");
    cases.push(case("halfopen, count 100, with a shadow", move |n| {
        // Moved into the case, which ends the shadow with it.
        let _ = &shadow;
        breaker.call_blocking(|| answer(n)).is_ok()
    }));
    let breaker = configs::warm(&configs::count());
    cases.push(case("halfopen, count 100, permit", move |n| {
        breaker
            .try_acquire()
            .map(|permit| {
                black_box(n);
                permit.success();
            })
            .is_ok()
    }));
    let breaker = peers::recloser();
    cases.push(case("recloser 1.4, count 100", move |n| breaker.call(|| answer(n)).is_ok()));
    let breaker = peers::failsafe_consecutive();
    cases.push(case("failsafe 1.3, consecutive 5", move |n| breaker.call(|| answer(n)).is_ok()));
    let breaker = peers::failsafe_time();
    cases.push(case("failsafe 1.3, time", move |n| breaker.call(|| answer(n)).is_ok()));
    let breaker = MutexRing::new();
    cases.push(case("mutex ring", move |n| breaker.call(|| answer(n)).is_some()));
    cases
}

/// The operation: almost free, but not optimized away.
#[inline]
pub(crate) fn answer(n: u64) -> Result<u64, Failed> {
    Ok(black_box(n))
}

/// A case in which every call must have been made.
fn case(name: &str, call: impl Fn(u64) -> bool + 'static) -> Case {
    Case::new(name, move |calls| {
        for n in 0..calls {
            assert!(call(black_box(n)), "a healthy call passes");
        }
    })
}
