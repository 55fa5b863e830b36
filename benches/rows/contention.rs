use failsafe::CircuitBreaker as _;

use crate::configs;
use crate::limit::Limit;
use crate::peers::{self, Floor, MutexRing, Striped};
use crate::rates::{Crowd, clones, rates, threads};
use crate::rows::closed_direct::answer;
use crate::services::{Failed, Inner};
use crate::table::Group;

/// Threads on one breaker, all calls successful and direct.
pub(crate) fn direct(callers: usize) -> Group {
    let title = format!("One breaker, {callers} thread{}, direct", plural(callers));
    let cases = direct_cases(callers);
    rates(&title, callers as u64, &cases, "load + striped fetch_add", "load + fetch_add")
}

/// Threads on one breaker, each with its own clone of a tower stack.
pub(crate) fn tower(callers: usize) -> Group {
    let title = format!("One breaker, {callers} thread{}, tower", plural(callers));
    rates(&title, callers as u64, &tower_cases(callers), "bare", "limit")
}

/// Threads on one open breaker, which rejects every call.
pub(crate) fn open(callers: usize) -> Group {
    let title = format!("One open breaker, {callers} thread{}, rejected", plural(callers));
    rates(&title, callers as u64, &open_cases(callers), "recloser 1.4", "recloser 1.4")
}

fn open_cases(callers: usize) -> Vec<Crowd<'static>> {
    let opened = || {
        let breaker = configs::breaker(&configs::count());
        breaker.open_for(configs::LONG);
        breaker
    };
    let recloser = peers::recloser();
    let failsafe = peers::failsafe_consecutive();
    for _ in 0..200 {
        let _ = recloser.call(|| Err::<u64, _>(Failed));
        let _ = failsafe.call(|| Err::<u64, _>(Failed));
    }
    vec![
        threads("halfopen, direct", callers, opened(), |it, n| it.call_blocking(|| answer(n)).is_err()),
        threads("halfopen, check", callers, opened(), |it, _| it.check().is_err()),
        threads("recloser 1.4", callers, recloser, |it, n| it.call(|| answer(n)).is_err()),
        threads("failsafe 1.3, consecutive 5", callers, failsafe, |it, n| it.call(|| answer(n)).is_err()),
    ]
}

fn plural(callers: usize) -> &'static str {
    if callers == 1 { "" } else { "s" }
}

fn direct_cases(callers: usize) -> Vec<Crowd<'static>> {
    let mut cases = vec![
        threads("load + striped fetch_add", callers, Striped::default(), |it, n| {
            it.call(|| answer(n)).is_ok()
        }),
        threads("load + fetch_add", callers, Floor::default(), |it, n| it.call(|| answer(n)).is_ok()),
    ];
    for (name, config) in configs::ours() {
        let breaker = configs::warm(&config);
        cases.push(threads(name, callers, breaker, |it, n| it.call_blocking(|| answer(n)).is_ok()));
    }
    let mixed = || configs::warm(&configs::count());
    cases.extend([
        threads("halfopen, count 100, 1 % fail", callers, mixed(), |it, n| {
            it.call_blocking(|| fails(n, 100)).is_ok() != (n % 100 == 7)
        }),
        threads("halfopen, count 100, 10 % fail", callers, mixed(), |it, n| {
            it.call_blocking(|| fails(n, 10)).is_ok() != (n % 10 == 7)
        }),
        threads("halfopen, default, 10 % fail", callers, configs::warm(&configs::ours()[3].1), |it, n| {
            it.call_blocking(|| fails(n, 10)).is_ok() != (n % 10 == 7)
        }),
        threads("recloser 1.4, count 100, 10 % fail", callers, peers::recloser(), |it, n| {
            it.call(|| fails(n, 10)).is_ok() != (n % 10 == 7)
        }),
        threads("mutex ring, 10 % fail", callers, MutexRing::new(), |it, n| {
            it.call(|| fails(n, 10)).is_some_and(|result| result.is_ok() != (n % 10 == 7))
        }),
    ]);
    cases.extend([
        threads("recloser 1.4, count 100", callers, peers::recloser(), |it, n| it.call(|| answer(n)).is_ok()),
        threads("failsafe 1.3, consecutive 5", callers, peers::failsafe_consecutive(), |it, n| {
            it.call(|| answer(n)).is_ok()
        }),
        threads("mutex ring", callers, MutexRing::new(), |it, n| it.call(|| answer(n)).is_some()),
    ]);
    cases
}

/// One in this number of calls fails.
fn fails(n: u64, every: u64) -> Result<u64, Failed> {
    if n % every == 7 { Err(Failed) } else { answer(n) }
}

fn tower_cases(callers: usize) -> Vec<Crowd<'static>> {
    let mut cases =
        vec![clones("bare", callers, Inner), clones("limit", callers, Limit::<Inner, false>::default())];
    for (name, config) in configs::ours() {
        cases.push(clones(name, callers, configs::stack(&config)));
    }
    cases.extend([
        clones("breaker 2, count 100", callers, peers::breaker_two(Inner)),
        clones("seatbelt 0.11, time", callers, peers::seatbelt(Inner)),
        clones("tower-resilience 0.14, count 100", callers, peers::resilience(Inner)),
    ]);
    cases
}
