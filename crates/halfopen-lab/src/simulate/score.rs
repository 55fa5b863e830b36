//! The share of the avoidable loss that a policy avoids.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::policy::{Always, Policy};
use super::run::{Maker, against, clairvoyant};
use super::scenario::Scenario;
use super::value::{Measured, Value, measure};

/// Where nothing is to be gained, the loss of this share of the calls makes a score of zero.
const ALLOWANCE: f64 = 0.02;

/// The results of one scenario, one seed and one value.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The index of the scenario.
    pub scenario: usize,
    /// What the answers are worth.
    pub value: Value,
    /// The best that can be reached.
    pub best: Measured,
    /// Without a breaker.
    pub always: Measured,
    /// With each policy.
    pub policies: Vec<Measured>,
}

/// Runs each scenario with each policy and each seed, on all cores.
pub fn run(scenarios: &[Scenario], seeds: &[u64], policies: &[&Maker<'_>]) -> Vec<Compared> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let (scenario, seed) = (job / seeds.len(), seeds[job % seeds.len()]);
                    let Some(found) = scenarios.get(scenario).map(|it| one(scenario, it, seed, policies))
                    else {
                        return;
                    };
                    results.lock().expect("no run panics").push((job, found));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no run panics");
    // In the order of the jobs, so that sums do not depend on the threads.
    results.sort_by_key(|(job, _)| *job);
    results.into_iter().flat_map(|(_, found)| found).collect()
}

fn one(index: usize, scenario: &Scenario, seed: u64, policies: &[&Maker<'_>]) -> [Compared; 2] {
    let always = against(scenario, &|_| Box::new(Always) as Box<dyn Policy>, seed);
    let runs: Vec<_> = policies.iter().map(|make| against(scenario, make, seed)).collect();
    Value::ALL.map(|value| Compared {
        scenario: index,
        value,
        best: measure(scenario, &clairvoyant(scenario, &value, seed), &value),
        always: measure(scenario, &always, &value),
        policies: runs.iter().map(|run| measure(scenario, run, &value)).collect(),
    })
}

impl Compared {
    fn gain(&self) -> f64 {
        self.best.worth - self.always.worth
    }

    /// The part of the gain that a policy reaches.
    fn reached(&self, policy: usize) -> f64 {
        (self.policies[policy].worth - self.always.worth) / self.gain()
    }

    /// One without a loss, where nothing is to be gained.
    fn kept(&self, policy: usize) -> f64 {
        let best = self.best.worth.max(self.always.worth);
        1.0 - (best - self.policies[policy].worth) / (ALLOWANCE * self.best.calls)
    }
}

/// The scores of one policy in the catalogue.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// The mean of the incidents.
    pub incidents: f64,
    /// The mean of the scenarios in which calling is right.
    pub calm: f64,
    /// Each scenario, in order.
    pub each: Vec<f64>,
}

/// Scores a policy in the catalogue, with one value.
pub fn catalogue(scenarios: &[Scenario], results: &[Compared], value: Value, policy: usize) -> Catalogue {
    let score = |index: usize, scenario: &Scenario| {
        let own = results.iter().filter(|result| result.scenario == index && result.value == value);
        mean(own.map(|result| {
            let nothing_to_gain = scenario.harmless || result.gain() < 0.002 * result.best.calls;
            if nothing_to_gain { result.kept(policy) } else { result.reached(policy) }
        }))
    };
    let each: Vec<f64> = scenarios.iter().enumerate().map(|(index, it)| score(index, it)).collect();
    let of = |harmless: bool| {
        let scores = scenarios.iter().zip(&each).filter(|(it, _)| it.harmless == harmless);
        mean(scores.map(|(_, score)| score.max(-1.0)))
    };
    Catalogue { incidents: of(false), calm: of(true), each }
}

/// The scores of one policy in the random set.
#[derive(Clone, Debug, Default)]
pub struct Random {
    /// The mean of the kinds.
    pub all: f64,
    /// The mean of each kind.
    pub kinds: BTreeMap<String, f64>,
    /// Crashes of services.
    pub crashes: f64,
}

/// Scores a policy in the random set: the mean over the kinds of incidents in which at least 50 calls are to be gained.
pub fn random(scenarios: &[Scenario], results: &[Compared], value: Value, policy: usize) -> Random {
    let mut kinds = BTreeMap::<String, Vec<f64>>::new();
    let mut crashes = 0.0;
    for result in results.iter().filter(|result| result.value == value) {
        crashes += result.policies[policy].crashes;
        if result.gain() >= 50.0 {
            let kind = &scenarios[result.scenario].kind;
            kinds.entry(kind.clone()).or_default().push(result.reached(policy).clamp(-1.0, 1.5));
        }
    }
    let kinds: BTreeMap<_, _> =
        kinds.into_iter().map(|(kind, scores)| (kind, mean(scores.into_iter()))).collect();
    Random { all: mean(kinds.values().copied()), kinds, crashes }
}

/// The scores of one policy in the shaped set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shaped {
    /// Of the episodes in which something is to be gained.
    pub episodes: f64,
    /// Of the slow services in which something is.
    pub slow: f64,
    /// Of all others, where calling is right.
    pub calm: f64,
    /// Good calls that were rejected, in a thousand.
    pub good_rejected: f64,
    /// Trips without an incident.
    pub false_trips: f64,
}

/// Scores a policy in the shaped set.
pub fn shaped(scenarios: &[Scenario], results: &[Compared], value: Value, policy: usize) -> Shaped {
    let (mut episodes, mut slow, mut calm) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rejected, mut calls, mut false_trips) = (0.0, 0.0, 0.0);
    for result in results.iter().filter(|result| result.value == value) {
        let measured = &result.policies[policy];
        calls += measured.calls;
        rejected += measured.good_rejected;
        false_trips += measured.false_trips;
        let has_gain = result.gain() > (0.005 * measured.calls).max(10.0);
        match (has_gain, &*scenarios[result.scenario].kind) {
            (true, "episodes") => episodes.push(result.reached(policy).max(-1.0)),
            (true, "slow") => slow.push(result.reached(policy).max(-1.0)),
            (true, _) => {}
            (false, _) => calm.push(result.kept(policy).max(-1.0)),
        }
    }
    Shaped {
        episodes: mean(episodes.into_iter()),
        slow: mean(slow.into_iter()),
        calm: mean(calm.into_iter()),
        good_rejected: 1e3 * rejected / calls,
        false_trips,
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / f64::max(count, 1.0)
}

#[cfg(test)]
mod tests {
    use halfopen::CircuitBreakerConfig;

    use super::*;
    use crate::simulate::Breaker;
    use crate::simulate::catalogue::scenarios;

    fn product(seed: u64) -> Box<dyn Policy> {
        Box::new(Breaker::new(CircuitBreakerConfig::adaptive(), seed))
    }

    fn some(names: &[&str]) -> Vec<Scenario> {
        scenarios().into_iter().filter(|scenario| names.contains(&&*scenario.name)).collect()
    }

    #[test]
    fn a_run_is_a_function_of_its_seeds() {
        let scenarios = some(&["blips", "slow-recovery"]);
        let [first, again, other] = [1, 1, 2].map(|seed| run(&scenarios, &[seed], &[&product]));
        let worth = |results: &[Compared]| results.iter().map(|result| result.policies[0].worth).sum::<f64>();
        assert_eq!(worth(&first), worth(&again));
        assert_ne!(worth(&first), worth(&other));
    }

    #[test]
    fn no_policy_reaches_more_than_a_clairvoyant() {
        let scenarios = some(&["outage60", "brownout60"]);
        for result in run(&scenarios, &[1], &[&product]) {
            assert!(result.always.worth < result.policies[0].worth, "{result:?}");
            assert!(result.policies[0].worth < result.best.worth, "{result:?}");
        }
    }
}
