//! The results that led to a doubt, for the explanation alone.

use crate::evidence::baseline::fading;
use crate::evidence::belief::Seconds;

/// Results that are weighed together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Results {
    pub(super) bad: f64,
    /// Of the bad ones.
    pub(super) slow: f64,
    pub(super) good: f64,
}

/// What led to the doubt, fading: for the explanation alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) bad: f64,
    pub(super) good: f64,
    pub(super) slow: f64,
    pub(super) at: Seconds,
}

/// What stays of the tally at each call.
const TALLY_PER_CALL: f64 = 31.0 / 32.0;

impl Results {
    pub(super) fn one(good: bool, late: bool) -> Results {
        Results { bad: share(!good), slow: share(late && !good), good: share(good) }
    }
}

impl Tally {
    pub(super) fn note(&mut self, results: &Results, rate: f64, now: Seconds) {
        let memory = (20.0 / rate).clamp(60.0, 900.0);
        let calls = results.bad + results.good;
        let per_call = if calls == 1.0 { TALLY_PER_CALL } else { TALLY_PER_CALL.powf(calls) };
        let stays = fading((now - self.at).max(0.0) / memory) * per_call;
        self.at = now;
        self.bad = self.bad * stays + results.bad;
        self.good = self.good * stays + results.good;
        self.slow = self.slow * stays + results.slow;
    }

    pub(super) fn clear(&mut self) {
        *self = Tally { at: self.at, ..Tally::default() };
    }
}

/// One call of one, or none.
pub(super) fn share(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}
