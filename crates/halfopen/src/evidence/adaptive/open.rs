//! Open: when to send a probe, and what its answer decides.

use super::steps::{Dice, Mode, Opening, Step, WhyRamp};
use super::{Adaptive, Watch};
use crate::evidence::belief::{Belief, Seconds};
use crate::evidence::flight::Flight;

/// The incident under way, or the last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incident {
    pub(super) tripped_at: Seconds,
    pub(super) closed_at: Option<Seconds>,
    /// How old it was when it ended.
    pub(super) age: Seconds,
    pub(super) relapses: i32,
}

/// The time between probes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Good calls lost, it is believed, by not knowing since the last probe.
    pub(super) lost: f64,
    pub(super) jitter: f64,
    pub(super) next: Seconds,
    pub(super) latest: Seconds,
    /// A server asked for silence until then.
    pub(super) hold: Option<Seconds>,
}

/// The price of a probe where a call is worth next to nothing, and what each probe in flight adds to it.
const LEAST_PRICE: f64 = 0.05;
const PRICE_IN_FLIGHT: f64 = 0.5;
const MOST_RELAPSES: i32 = 4;
const GOOD_BEGINNING: u32 = 3;

impl Adaptive {
    pub(super) fn trip(&mut self, now: Seconds, why: Opening, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        match self.watch {
            Watch::No => {}
            Watch::Closed => {
                self.watch = Watch::Open;
                return steps.push(Step::Opened(why));
            }
            Watch::Open => return,
        }
        let in_ramp = self.mode == Mode::Ramp;
        let since_closed = self.incident.closed_at.map_or(f64::INFINITY, |closed| now - closed);
        if in_ramp || since_closed < (2.0 * self.ramp.length).max(1.0) {
            // A ramp that began well, or a close that did not last: load is the cause, and the next ramp is gentler.
            if !in_ramp || self.ramp.good_beginning >= GOOD_BEGINNING {
                self.incident.relapses = (self.incident.relapses + 1).min(MOST_RELAPSES);
            }
        } else {
            self.incident.relapses = 0;
            self.incident.tripped_at = now;
        }
        self.open(now, why, dice, steps);
    }

    pub(super) fn open(&mut self, now: Seconds, why: Opening, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        self.mode = Mode::Open;
        self.begin_epoch(now);
        if !self.belief.is_in_doubt() {
            // Throttled: nothing is known about failures.
            self.belief = Belief::unknown(now, self.age_of_a_new_doubt(now));
        }
        self.belief.begin_at(now);
        self.opened_by = self.tally;
        self.tally.clear();
        self.waiting.hold = None;
        self.begin_gap(now, dice);
        steps.push(Step::Opened(why));
    }

    pub(super) fn begin_epoch(&mut self, now: Seconds) {
        self.epoch += 1;
        self.ramp.evidence_from = now;
        self.flight = Flight::new(now);
        self.throttles_in_a_row = 0;
        self.throttles_since_cut = 0;
    }

    /// A probe is sent, and the next one is waited for.
    pub(super) fn begin_gap(&mut self, now: Seconds, dice: &mut impl Dice) {
        let jitter = 0.75 + 0.5 * dice.roll();
        let latest = now + self.numbers.max_probe_gap * jitter;
        self.waiting = Waiting { lost: 0.0, jitter, next: now, latest, ..self.waiting };
    }

    pub(super) fn wait(&mut self, now: Seconds) {
        let (elapsed, before) = (self.belief.since_advance(now), self.belief.up());
        self.belief.advance(now);
        self.waiting.lost += lost_in(elapsed, self.arrivals.rate(now), before, self.belief.up());
    }

    /// The price of a probe, in good calls.
    pub(super) fn price(&self, worth: f64) -> f64 {
        (-worth).max(LEAST_PRICE)
            * (1.0 + PRICE_IN_FLIGHT * f64::from(self.flight.out()))
            * self.waiting.jitter
    }

    pub(super) fn is_probe_due(&mut self, now: Seconds) -> bool {
        self.wait(now);
        self.is_due(now, self.waiting.lost, self.belief.worth(&self.prior(now)))
    }

    pub(super) fn is_due(&self, now: Seconds, lost: f64, worth: f64) -> bool {
        now >= self.waiting.latest || (now >= self.waiting.next && lost >= self.price(worth))
    }

    pub(super) fn probed(
        &mut self,
        now: Seconds,
        bad: f64,
        good: f64,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        self.wait(now);
        let prior = self.prior(now);
        self.observe(&prior, bad, good, now);
        if self.belief.is_back(&prior) {
            self.begin_ramp(now, WhyRamp::ProbesPassed, dice, steps);
        }
    }

    /// Whether a call that arrives at `now` would be a probe, or the first one after a hold.
    pub(super) fn would_probe(&self, now: Seconds) -> bool {
        if let Some(hold) = self.waiting.hold {
            return now >= hold;
        }
        let mut arrivals = self.arrivals;
        arrivals.arrive(now, 1);
        let (mut belief, prior) = (self.belief.clone(), self.prior_at(arrivals.rate(now), now));
        let (elapsed, before) = (belief.since_advance(now), belief.up());
        belief.advance(now);
        let lost = self.waiting.lost + lost_in(elapsed, arrivals.rate(now), before, belief.up());
        self.is_due(now, lost, belief.worth(&prior))
    }
}

/// The good calls that were lost in a time of which the probability of being up is known at both ends.
fn lost_in(elapsed: Seconds, rate: f64, up_before: f64, up_after: f64) -> f64 {
    rate * elapsed * 0.5 * (up_before + up_after)
}
