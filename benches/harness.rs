//! Timing in interleaved rounds: every case runs in every round, so that other load on the machine affects all
//! of them. Slices are short, so that most are not interrupted. The least disturbed quarter of the rounds is
//! compared: an interruption can only make a slice longer, and a quarter of all rounds is too large to be
//! chance.

use std::time::{Duration, Instant};

use crate::alloc;

/// One way to make calls; the function makes the given number of calls.
pub(crate) struct Case {
    pub(crate) name: String,
    run: Box<dyn FnMut(u64)>,
}

/// The results of the rounds: nanoseconds per call in each.
pub(crate) struct Timing {
    pub(crate) name: String,
    pub(crate) rounds: Vec<f64>,
    pub(crate) allocations: f64,
}

const ROUNDS: usize = 121;
const SLICE: Duration = Duration::from_micros(500);

impl Case {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut(u64) + 'static) -> Case {
        Case { name: name.into(), run: Box::new(run) }
    }

    /// Makes this number of calls.
    pub(crate) fn run(&mut self, calls: u64) {
        (self.run)(calls);
    }

    /// Returns how many calls fill a slice of time.
    fn calibrate(&mut self) -> u64 {
        self.run(2_000);
        let took = timed(|| self.run(2_000)).max(Duration::from_nanos(1));
        (SLICE.as_nanos() * 2_000 / took.as_nanos()).clamp(200, 10_000_000) as u64
    }

    fn allocations(&mut self) -> f64 {
        const CALLS: u64 = 1_000;
        let (_, seen) = alloc::watch(|| self.run(CALLS));
        seen.allocations as f64 / CALLS as f64
    }
}

/// Times all cases in interleaved rounds.
pub(crate) fn measure(mut cases: Vec<Case>) -> Vec<Timing> {
    let calls: Vec<u64> = cases.iter_mut().map(Case::calibrate).collect();
    interleave(ROUNDS, cases, &calls)
}

/// The same for calls that are long and wait: exactly this number of them in each round.
pub(crate) fn measure_bounded(cases: Vec<Case>) -> Vec<Timing> {
    measure_rounds(ROUNDS, cases)
}

/// The same in this number of rounds, for calls that wait for threads or a disk, which vary.
pub(crate) fn measure_rounds(count: usize, mut cases: Vec<Case>) -> Vec<Timing> {
    const CALLS: u64 = 40;
    cases.iter_mut().for_each(|case| case.run(10 * CALLS));
    let calls = vec![CALLS; cases.len()];
    interleave(count, cases, &calls)
}

fn interleave(count: usize, mut cases: Vec<Case>, calls: &[u64]) -> Vec<Timing> {
    let mut rounds = vec![Vec::with_capacity(count); cases.len()];
    for round in 0..count {
        for place in 0..cases.len() {
            // A different case starts each round, so that no case always follows the same neighbour.
            let place = (place + round) % cases.len();
            let took = timed(|| cases[place].run(calls[place]));
            rounds[place].push(took.as_nanos() as f64 / calls[place] as f64);
        }
    }
    let timings = cases.iter_mut().zip(rounds);
    timings
        .map(|(case, rounds)| Timing { allocations: case.allocations(), name: case.name.clone(), rounds })
        .collect()
}

impl Timing {
    /// Creates timings from rounds that were timed elsewhere.
    pub(crate) fn of(name: impl Into<String>, rounds: Vec<f64>) -> Timing {
        Timing { name: name.into(), rounds, allocations: f64::NAN }
    }

    pub(crate) fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    pub(crate) fn minimum(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The upper bound of the least disturbed quarter of the rounds.
    pub(crate) fn quarter(&self) -> f64 {
        quantile(self.rounds.clone(), 0.25)
    }

    /// The ratio of this to `base`, by their quartiles.
    pub(crate) fn ratio(&self, base: &Timing) -> f64 {
        self.quarter() / base.quarter()
    }
}

/// How long this takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let start = now();
    work();
    start.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch: wall time is what a benchmark is about")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share) as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}
