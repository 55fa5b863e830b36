use halfopen::State;
use tower_service::Service;

use crate::configs;
use crate::peers;
use crate::services::{FAIL, Failed, Inner, one};
use crate::table::{Group, Row};

const HEALTHY: [u64; 3] = [0, 1_000, 1_000_000];
/// The maximum number of calls of a case.
const ENOUGH: u64 = 3_000_000;

/// The number of failing calls until the breaker opens, after this number of successful ones: half of the last
/// 100 calls, at least ten of them.
pub(crate) fn group() -> Group {
    let mut group = Group::new("Detection: failing calls until open", "calls");
    for healthy in HEALTHY {
        group.push(row("halfopen, count 100", healthy, ours(healthy)));
        group.push(row("recloser 1.4, count 100", healthy, recloser(healthy)));
        group.push(row("breaker 2, count 100", healthy, stack(peers::breaker_two(Inner), healthy)));
        group.push(row(
            "tower-resilience 0.14, count 100",
            healthy,
            stack(peers::resilience(Inner), healthy),
        ));
    }
    group
}

fn row(name: &str, healthy: u64, failing: Option<u64>) -> Row {
    let name = format!("{name}, after {healthy}");
    match failing {
        Some(failing) => Row::new(name, failing as f64, ""),
        None => Row::new(name, f64::INFINITY, "not open after 3,000,000"),
    }
}

fn ours(healthy: u64) -> Option<u64> {
    let breaker = configs::breaker(&configs::count());
    for n in 0..healthy {
        let _ = breaker.call_blocking(|| Ok::<_, Failed>(n));
    }
    (1..=ENOUGH).find(|_| {
        let _ = breaker.call_blocking(|| Err::<(), _>(Failed));
        breaker.state() == State::Open
    })
}

fn recloser(healthy: u64) -> Option<u64> {
    let breaker = peers::recloser();
    for n in 0..healthy {
        let _ = breaker.call(|| Ok::<_, Failed>(n));
    }
    // It does not report its state: the first call that is not made shows the transition.
    (0..ENOUGH).find(|_| matches!(breaker.call(|| Err::<(), _>(Failed)), Err(recloser::Error::Rejected)))
}

/// A stack opens with the last call whose error comes from the inner service.
fn stack<S: Service<u64> + 'static>(mut service: S, healthy: u64) -> Option<u64>
where
    S::Error: std::fmt::Display,
{
    for n in 0..healthy {
        let _ = one(&mut service, n);
    }
    let inner = one(&mut service, FAIL).err()?.to_string();
    (1..ENOUGH).find(|_| one(&mut service, FAIL).is_err_and(|error| error.to_string() != inner))
}
