//! Calls of a service in which nothing happens.

use std::collections::VecDeque;

use crate::chance::Chance;
use crate::policy::{Answer, Outcome, Policy, Seconds};

/// The bad calls of a service in normal operation.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// The share of bad calls.
    pub share: f64,
    /// The probability that a call is bad after a bad one; [`None`] if calls are independent.
    pub after_a_bad_one: Option<f64>,
}

/// The rejections of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trips {
    /// Stretches of rejected calls.
    pub trips: u64,
    /// The rejected calls.
    pub rejected: u64,
}

const RATE: f64 = 50.0;
const TOOK: Seconds = 0.05;

/// Makes this number of calls, 50 a second.
pub fn trips(policy: &mut dyn Policy, noise: Noise, calls: u64, seed: u64) -> Trips {
    let mut chance = Chance::seeded(seed);
    let (mut now, mut bad, mut rejects) = (0.0, false, false);
    let mut in_flight = VecDeque::<(Seconds, u64, Outcome)>::new();
    let mut found = Trips::default();
    for _ in 0..calls {
        now += chance.exponential(RATE);
        while let Some((start, call, outcome)) = in_flight.pop_front_if(|(start, ..)| *start + TOOK <= now) {
            let answer = Answer { outcome, took: TOOK, retry_after: None };
            policy.end(call, start, &answer, start + TOOK);
        }
        bad = chance.even() < noise.next(bad);
        let outcome = if bad { Outcome::Failure } else { Outcome::Success };
        let admitted = policy.admit(now).map(|call| in_flight.push_back((now, call, outcome))).is_some();
        found.rejected += u64::from(!admitted);
        found.trips += u64::from(!admitted && !rejects);
        rejects = !admitted;
    }
    found
}

impl Noise {
    /// The probability that the next call is bad: the share is the same with and without clumps.
    fn next(self, bad: bool) -> f64 {
        match self.after_a_bad_one {
            None => self.share,
            Some(sticks) if bad => sticks,
            Some(sticks) => self.share * (1.0 - sticks) / (1.0 - self.share),
        }
    }
}

/// Returns how many bad calls in a row a policy admits after a normal time, at this rate.
pub fn bad_calls_in_a_row(policy: &mut dyn Policy, share: f64, rate: f64, calls: u64) -> u32 {
    let mut now = 0.0;
    let mut one = |policy: &mut dyn Policy, outcome| {
        now += 1.0 / rate;
        let Some(call) = policy.admit(now) else { return false };
        policy.end(call, now, &Answer { outcome, took: 0.0, retry_after: None }, now);
        true
    };
    // Spread evenly, so that exactly this share is learned.
    let due = |call: u64| (call as f64 * share) as u64;
    for call in 0..calls {
        one(policy, if due(call + 1) > due(call) { Outcome::Failure } else { Outcome::Success });
    }
    // A few good calls end every doubt.
    for _ in 0..10 {
        one(policy, Outcome::Success);
    }
    let mut bad = 0;
    while bad < 1_000 && one(policy, Outcome::Failure) {
        bad += 1;
    }
    bad
}
