//! Questions about an adaptive breaker, which change nothing.

use super::Adaptive;
use super::steps::{Dice, Known, Mode};
#[cfg(all(test, not(loom)))]
use crate::evidence::baseline::Baseline;
#[cfg(all(test, not(loom)))]
use crate::evidence::belief::Belief;
use crate::evidence::belief::Seconds;

/// How exactly the moment of the next probe is found.
const PRECISION: Seconds = 1e-6;

impl Adaptive {
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    #[cfg(all(test, not(loom)))]
    pub(in crate::evidence) fn belief(&self) -> &Belief {
        &self.belief
    }

    #[cfg(all(test, not(loom)))]
    pub(in crate::evidence) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Returns the learned numbers and the belief, as of `now`.
    pub(crate) fn known(&self, now: Seconds) -> Known {
        let prior = self.prior(now);
        let tally = match self.mode {
            Mode::Open => &self.opened_by,
            Mode::Closed | Mode::Ramp => &self.tally,
        };
        let mut belief = self.belief.clone();
        belief.advance(now);
        Known {
            normal: prior.normal,
            break_even: prior.break_even,
            p95: self.baseline.p95(),
            slow_limit: self.slow_limit(),
            down: belief.down(),
            likeliest: belief.likeliest_share(&prior),
            worth: belief.worth(&prior),
            bad_calls_to_trip: (self.mode == Mode::Closed)
                .then(|| belief.bad_calls_to_trip(&prior, self.age_of_a_new_doubt(now), now)),
            probe_by: (self.mode == Mode::Open).then_some(self.waiting.latest),
            relapses: self.relapses(),
            bad: tally.bad,
            slow: tally.slow,
            calls: tally.bad + tally.good,
        }
    }

    /// Whether a success is evidence: a closed breaker doubts that its dependency is up, or has seen a throttled call
    /// since the last success.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.belief.is_in_doubt() || self.throttles_in_a_row > 0 || self.throttles_since_cut > 0
    }

    /// The share of bad calls above which a call is not worth making, given the normal share.
    pub(crate) fn break_even(&self) -> f64 {
        self.baseline.break_even(self.numbers.break_even)
    }

    /// Probes, or calls of the ramp, in flight.
    pub(crate) fn out(&self) -> u32 {
        self.flight.out()
    }

    pub(crate) fn relapses(&self) -> u32 {
        u32::try_from(self.incident.relapses).unwrap_or(0)
    }

    /// Until when a server asked for silence.
    pub(crate) fn hold(&self) -> Option<Seconds> {
        self.waiting.hold
    }

    /// The share of calls that is admitted.
    pub(crate) fn share(&self, now: Seconds) -> f64 {
        match self.mode {
            Mode::Closed => 1.0,
            Mode::Open => 0.0,
            Mode::Ramp => self.ramp.share(now),
        }
    }

    /// Whether a call would be admitted now.
    pub(crate) fn would_admit(&self, now: Seconds, dice: &(impl Dice + Clone)) -> bool {
        let judges = |limit| self.flight.has_overdue(now, limit);
        match self.mode {
            Mode::Closed => true,
            // Calls in flight are judged first, which may change everything: asked of a copy.
            Mode::Open | Mode::Ramp if !self.begun || self.overdue_limit().is_some_and(judges) => {
                let mut copy = self.clone();
                copy.concurrent = None;
                copy.admit(now, &mut dice.clone(), &mut Vec::new()).is_some()
            }
            Mode::Open => self.would_probe(now),
            Mode::Ramp => self.ramp.credit + self.ramp.share(now) >= 1.0,
        }
    }

    /// The next moment at which a call would be admitted that is rejected now, if no other call arrives before.
    pub(crate) fn admits_at(&self, now: Seconds) -> Option<Seconds> {
        match self.mode {
            Mode::Closed => None,
            Mode::Ramp => {
                let missing = 1.0 - self.ramp.credit - self.ramp.share;
                let at = self.ramp.since + missing * self.ramp.length;
                (self.ramp.credit + self.ramp.share(now) < 1.0).then_some(at.max(now))
            }
            Mode::Open => {
                if let Some(hold) = self.waiting.hold {
                    return Some(hold);
                }
                let (mut low, mut high) = (now, self.waiting.latest.max(now));
                if self.would_probe(low) {
                    return Some(low);
                }
                // The belief in recovery, and with it the loss, grows with time.
                while high - low > PRECISION {
                    let middle = 0.5 * (low + high);
                    if self.would_probe(middle) { high = middle } else { low = middle }
                }
                Some(high)
            }
        }
    }
}
