//! The policies that are compared, and the search for the best fixed numbers.

use std::time::Duration;

use halfopen::{Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};
use simulator::reference::{Numbers, Reference};
use simulator::rules::{PEERS, Rules};
use simulator::run::Maker;
use simulator::value::Value;
use simulator::{Breaker, Policy, catalogue, score};

/// A policy with its name.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) make: Box<Maker<'static>>,
}

pub(crate) const ADAPTIVE: &str = "halfopen, adaptive";
pub(crate) const REFERENCE: &str = "the design's reference";
pub(crate) const DEFAULT: &str = "halfopen, default";

/// The seed of the catalogue by which the fixed numbers are chosen; the scores are of other seeds.
const SEARCHED_WITH: u64 = 101;

pub(crate) fn all() -> Vec<Named> {
    let mut all = vec![
        ours(ADAPTIVE, CircuitBreakerConfig::adaptive()),
        Named {
            name: REFERENCE.into(),
            make: Box::new(|seed| Box::new(Reference::new(Numbers::default(), seed)) as Box<dyn Policy>),
        },
        ours(DEFAULT, CircuitBreakerConfig::default()),
        best_fixed(),
    ];
    all.extend(PEERS.map(|(name, trip, wait, probes)| Named {
        name: format!("rules of {name}"),
        make: Box::new(move |seed| Box::new(Rules::new(trip, wait, probes, seed)) as Box<dyn Policy>),
    }));
    all
}

fn ours(name: &str, config: CircuitBreakerConfig) -> Named {
    Named {
        name: name.into(),
        make: Box::new(move |seed| Box::new(Breaker::new(config.clone(), seed)) as Box<dyn Policy>),
    }
}

/// The best of 44 settings: 36 of a failure rate and eight of failures in a row.
fn best_fixed() -> Named {
    let mut settings = Vec::new();
    for wait in [500, 1_000, 2_000, 5_000] {
        for calls in [3, 5, 10] {
            for window in [2, 5, 10] {
                let rule = Trip::failure_rate(0.5).minimum_calls(calls);
                let name = format!("half of {calls} calls in {window} s, {wait} ms");
                settings.push((name, rule, window, wait));
            }
        }
        for calls in [3, 5] {
            let name = format!("{calls} in a row, {wait} ms");
            settings.push((name, Trip::consecutive_failures(calls), 10, wait));
        }
    }
    let candidates: Vec<Named> = settings
        .into_iter()
        .map(|(name, rule, window, wait)| ours(&name, fixed(rule, window, wait)))
        .collect();
    let scenarios = catalogue::scenarios();
    let makers: Vec<&Maker<'_>> = candidates.iter().map(|candidate| &*candidate.make).collect();
    let results = score::run(&scenarios, &[SEARCHED_WITH], &makers);
    let worth = |policy: usize| {
        let score = score::catalogue(&scenarios, &results, Value::InTime, policy);
        score.incidents + score.calm
    };
    let best = (0..candidates.len()).max_by(|a, b| worth(*a).total_cmp(&worth(*b))).unwrap_or(0);
    let Some(Named { name, make }) = candidates.into_iter().nth(best) else { unreachable!("there are some") };
    Named { name: format!("halfopen, best fixed ({name})"), make }
}

fn fixed(rule: Trip, window: u64, wait: u64) -> CircuitBreakerConfig {
    CircuitBreakerConfig::builder()
        .trip(rule)
        .window(Window::last(Duration::from_secs(window)).buckets(10))
        .open_duration(Duration::from_millis(wait))
        .backoff(Backoff::none())
        .half_open(HalfOpen::new().max_calls(1).success_threshold(1))
        .build()
        .expect("the numbers are in their ranges")
}
