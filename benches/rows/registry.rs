use std::collections::HashMap;
use std::hint::black_box;
use std::sync::RwLock;
use std::thread;
use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, Registry};

use crate::alloc::watch;
use crate::harness::{median, timed};
use crate::table::{Group, Row};

const BREAKERS: usize = 100_000;
const RULES: usize = 1_000;
const ROUNDS: usize = 15;
const LOOKUPS: usize = 50_000;
const LEAST: &str = "a map nobody writes";

/// The minimum: a name is hashed and compared, and a handle cloned. Names cannot be added, so no lock is
/// needed.
type Plain = HashMap<String, CircuitBreaker, foldhash::fast::RandomState>;

/// A way to find a breaker.
trait Find: Fn(&str) -> Option<CircuitBreaker> + Copy + Send {}

impl<F: Fn(&str) -> Option<CircuitBreaker> + Copy + Send> Find for F {}

/// A breaker for each of 100,000 hosts: the memory, and the look-up of one among them.
pub(crate) fn group() -> Group {
    let names: Vec<String> = (0..BREAKERS).map(|n| format!("host-{n:06}.example:443")).collect();
    let (registry, seen) = watch(|| {
        let registry = Registry::new();
        for name in &names {
            registry.get_or_create(name);
        }
        registry
    });
    let mut group = Group::new("Registry of 100,000 breakers, names of 23 letters", "ns").against(LEAST);
    let megabytes = seen.live as f64 / 1e6;
    let each = format!(
        "{:.0} bytes and {:.1} allocations each",
        megabytes * 1e6 / BREAKERS as f64,
        seen.allocations as f64 / BREAKERS as f64
    );
    group.push(Row::new("memory, in megabytes", megabytes, each));
    let plain: Plain = registry.breakers().into_iter().map(|it| (it.name().to_owned(), it)).collect();
    let locked = RwLock::new(plain.clone());
    let (plain, locked) = (&plain, &locked);
    for threads in [1, 2] {
        for (what, names) in [("anywhere", &names[..]), ("64 hosts", &names[..64])] {
            let least = lookups(&format!("{LEAST}, {what}"), |name| plain.get(name).cloned(), names, threads);
            let get = lookups(&format!("get, {what}"), |name| registry.get(name), names, threads);
            let find = |name: &str| locked.read().expect("nobody writes").get(name).cloned();
            let locked = lookups(&format!("RwLock<HashMap>, {what}"), find, names, threads);
            let base = least.value;
            let to_least = |row: Row| Row { to_base: Some(row.value / base), ..row };
            [get, locked, least].map(to_least).into_iter().for_each(|row| group.push(row));
        }
    }
    for (what, names) in [("anywhere", &names[..]), ("64 hosts", &names[..64])] {
        let bounded = Registry::builder().capacity(BREAKERS).build();
        names.iter().for_each(|name| drop(bounded.get_or_create(name)));
        group.push(lookups(&format!("get, bounded, {what}"), |name| bounded.get(name), names, 1));
    }
    group.push(reload(&registry, &names[..RULES]));
    group
}

/// The cost of reloading an unchanged document for the registry that follows it.
fn reload(registry: &Registry, names: &[String]) -> Row {
    let config = CircuitBreakerConfig::default();
    let rules =
        names.iter().fold(Registry::builder(), |builder, name| builder.config_for(name, config.clone()));
    let rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let took = timed(|| assert!(registry.replace_rules(&rules).is_empty(), "nothing has changed"));
            took.as_nanos() as f64 / 1e6
        })
        .collect();
    let best = rounds.iter().copied().fold(f64::INFINITY, f64::min);
    let name = "1,000 rules replaced by the same, milliseconds";
    Row { best: Some(best), ..Row::new(name, median(rounds), "for all 100,000") }
}

/// Nanoseconds per look-up of a thread.
fn lookups(what: &str, find: impl Find, names: &[String], threads: usize) -> Row {
    let rounds: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let took = thread::scope(|scope| {
                let seeking: Vec<_> = (0..threads)
                    .map(|thread| scope.spawn(move || seek(find, names, round * 7 + thread)))
                    .collect();
                seeking.into_iter().map(|thread| thread.join().expect("all are found")).max()
            });
            took.expect("there is a thread").as_nanos() as f64 / LOOKUPS as f64
        })
        .collect();
    let best = rounds.iter().copied().fold(f64::INFINITY, f64::min);
    let name = format!("{what}, {threads} thread{}", if threads == 1 { "" } else { "s" });
    Row { best: Some(best), ..Row::new(name, median(rounds), "") }
}

fn seek(find: impl Find, names: &[String], seed: usize) -> Duration {
    // A stride that visits every name once per lap, in an order that no prefetcher follows.
    let step = 61_803;
    timed(|| {
        let mut place = seed;
        for _ in 0..LOOKUPS {
            place = (place + step) % names.len();
            assert!(black_box(find(&names[place])).is_some(), "every name has a breaker");
        }
    })
}
