use std::thread;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, State};

use crate::alloc::watch;
use crate::configs;
use crate::peers::{self, MutexRing};
use crate::services::{Failed, Inner};
use crate::table::{Group, Row};

pub(crate) const SOME_TRAFFIC: &str = "  after 1,000 calls, 1 % failed";
pub(crate) const MUCH_TRAFFIC: &str = "  after 100,000 calls, 1 % failed";

/// Bytes allocated for one breaker, including its name of eight letters, and whether they grow with use.
pub(crate) fn group() -> Group {
    let mut group = Group::new("Memory of one breaker", "bytes");
    let mut configs = configs::ours().to_vec();
    configs.push(("halfopen, time 10 buckets", configs::time()));
    for (name, config) in configs {
        group.push(made(name, || configs::breaker(&config)));
        if let Some((_, make)) = OWN.iter().find(|(of, _)| *of == name) {
            group.push(made("  with a configuration of its own", || configs::breaker(&make())));
        }
        group.push(after(SOME_TRAFFIC, &config, |breaker| traffic(breaker, 1_000)));
        group.push(after(MUCH_TRAFFIC, &config, |breaker| traffic(breaker, 100_000)));
        group.push(after("  after two threads met", &config, meeting));
        group.push(after("  after 1 opening", &config, |breaker| openings(breaker, 1)));
        group.push(after("  after 10,000 openings", &config, |breaker| openings(breaker, 10_000)));
    }
    let adaptive = CircuitBreakerConfig::adaptive();
    group.push(made("halfopen, adaptive", || configs::breaker(&adaptive)));
    group.push(after(SOME_TRAFFIC, &adaptive, |breaker| traffic(breaker, 1_000)));
    group.push(made("recloser 1.4, count 100", peers::recloser));
    group.push(made("failsafe 1.3, consecutive 5", peers::failsafe_consecutive));
    group.push(made("failsafe 1.3, time", peers::failsafe_time));
    group.push(made("mutex ring", MutexRing::new));
    group.push(made("breaker 2, count 100, in a stack", || peers::breaker_two(Inner)));
    group.push(made("seatbelt 0.11, time, in a stack", || peers::seatbelt(Inner)));
    group.push(made("tower-resilience 0.14, in a stack", || peers::resilience(Inner)));
    group
}

type MakeConfig = fn() -> CircuitBreakerConfig;

/// The configurations that a breaker allocates if it does not share one.
const OWN: [(&str, MakeConfig); 2] =
    [("halfopen, count 100", configs::count), ("halfopen, time 10 buckets", configs::time)];

/// The memory of a new value: the value itself, if it is not behind a pointer, and its allocations.
fn made<T>(name: &str, make: impl Fn() -> T) -> Row {
    // The first one may initialize shared state.
    drop(make());
    let (it, seen) = watch(make);
    let inline = size_of_val(&it);
    let sizes: Vec<_> = seen.sizes.iter().map(usize::to_string).collect();
    let note = format!("{inline} inline + {}", sizes.join(" + "));
    Row {
        allocations: Some(seen.allocations as f64),
        ..Row::new(name, inline as f64 + seen.live as f64, note)
    }
}

/// The bytes freed when one is dropped: the threads that used it have bytes of their own.
fn after(name: &str, config: &CircuitBreakerConfig, use_it: fn(&CircuitBreaker)) -> Row {
    let breaker = configs::breaker(config);
    use_it(&breaker);
    let inline = size_of_val(&breaker) as f64;
    let ((), seen) = watch(|| drop(breaker));
    Row::new(name, inline - seen.live as f64, "")
}

fn traffic(breaker: &CircuitBreaker, calls: u64) {
    for n in 0..calls {
        let _ = breaker.call_blocking(|| if n % 100 == 99 { Err(Failed) } else { Ok(n) });
    }
}

fn meeting(breaker: &CircuitBreaker) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..300_000 {
                    let _ = breaker.call_blocking(|| Ok::<_, Failed>(n));
                }
            });
        }
    });
}

fn openings(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        breaker.trip();
        assert_eq!(breaker.state(), State::Open, "it was tripped");
        breaker.open_for(std::time::Duration::ZERO);
        let _ = breaker.call_blocking(|| Ok::<_, Failed>(1));
        if breaker.state() != State::Closed {
            breaker.reset();
        }
        let _ = breaker.call_blocking(|| Err::<(), _>(Failed));
    }
}
