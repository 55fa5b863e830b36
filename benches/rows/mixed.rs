use std::hint::black_box;

use failsafe::CircuitBreaker as _;

use crate::configs;
use crate::harness::{Case, measure};
use crate::peers::{self, MutexRing};
use crate::services::Failed;
use crate::table::Group;

/// Realistic traffic: a few calls fail, far too few to open a breaker.
pub(crate) fn group(every: u64) -> Group {
    let timings = measure(cases(every));
    let title = match every {
        100 => "Direct call, closed, 1 % fail",
        _ => "Direct call, closed, 10 % fail",
    };
    Group::of_timings(title, &timings, "bare", "mutex ring")
}

pub(crate) fn cases(every: u64) -> Vec<Case> {
    let mut cases = vec![case("bare", every, |operation| operation().is_ok())];
    for (name, config) in configs::ours() {
        let breaker = configs::warm(&config);
        cases.push(case(name, every, move |operation| breaker.call_blocking(operation).is_ok()));
    }
    let breaker = peers::recloser();
    cases.push(case("recloser 1.4, count 100", every, move |operation| breaker.call(operation).is_ok()));
    let breaker = peers::failsafe_consecutive();
    cases.push(case("failsafe 1.3, consecutive 5", every, move |operation| breaker.call(operation).is_ok()));
    let breaker = peers::failsafe_time();
    cases.push(case("failsafe 1.3, time", every, move |operation| breaker.call(operation).is_ok()));
    let breaker = MutexRing::new();
    cases
        .push(case("mutex ring", every, move |operation| breaker.call(operation).is_some_and(|r| r.is_ok())));
    cases
}

type Operation<'a> = &'a dyn Fn() -> Result<u64, Failed>;

/// Every n-th call fails; all other calls must succeed.
fn case(name: &str, every: u64, call: impl Fn(Operation<'_>) -> bool + 'static) -> Case {
    let mut made = 0_u64;
    Case::new(name, move |calls| {
        for _ in 0..calls {
            made += 1;
            let fails = made.is_multiple_of(every);
            let operation = || if fails { Err(Failed) } else { Ok(black_box(made)) };
            assert_eq!(call(&operation), !fails, "every call passes the breaker");
        }
    })
}
