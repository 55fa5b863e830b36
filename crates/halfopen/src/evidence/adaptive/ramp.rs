//! The ramp: a growing share is admitted, until the breaker closes or opens again.

use super::open::Waiting;
use super::steps::{Admitted, Dice, Mode, Opening, Step, WhyRamp};
use super::tally::Results;
use super::{Adaptive, Watch};
use crate::evidence::belief::Seconds;

/// The way back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    pub(super) share: f64,
    pub(super) since: Seconds,
    pub(super) length: Seconds,
    /// Results of calls from before this moment are no evidence.
    pub(super) evidence_from: Seconds,
    pub(super) good: u32,
    pub(super) good_since_cut: u32,
    pub(super) good_beginning: u32,
    pub(super) began_well: bool,
    pub(super) cuts: u32,
    pub(super) credit: f64,
}

/// A ramp is so long for each second of the incident, within these limits; a shorter one than the least is none.
const RAMP_PER_INCIDENT: f64 = 0.02;
const RAMP_LONGEST_FIRST: Seconds = 5.0;
const RAMP_LEAST: Seconds = 0.25;
const RAMP_AFTER_CUT: Seconds = 2.0;
const RAMP_LONGEST: Seconds = 20.0;
const RAMP_FIRST_SHARE: f64 = 0.2;
const LEAST_SHARE: f64 = 0.02;
/// Good calls in a ramp before it may close, and at its start before it counts as begun well.
const GOOD_TO_CLOSE: u32 = 4;
/// A ramp closes below this probability of being down.
const DOWN_TO_CLOSE: f64 = 0.2;
/// Throttled calls since the last success that cut the share, and in a row that obey a hint.
const THROTTLES_TO_CUT: u32 = 2;
const THROTTLES_TO_OBEY: u32 = 4;

impl Adaptive {
    pub(super) fn begin_ramp(
        &mut self,
        now: Seconds,
        why: WhyRamp,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        self.incident.age = self.belief.age(now);
        self.mode = Mode::Ramp;
        self.begin_epoch(now);
        let full = why == WhyRamp::HoldOver;
        if full {
            self.waiting.hold = None;
            self.acquit();
        }
        self.tally.at = now;
        let first = (RAMP_PER_INCIDENT * (now - self.incident.tripped_at)).min(RAMP_LONGEST_FIRST);
        let gentler = 2.0_f64.powi(self.incident.relapses);
        let length = (first * gentler).min(RAMP_LONGEST);
        let length = if full || length < RAMP_LEAST { 0.0 } else { length };
        self.ramp = Ramp {
            share: RAMP_FIRST_SHARE / gentler,
            since: now,
            length,
            evidence_from: now,
            good: 0,
            good_since_cut: 0,
            good_beginning: 0,
            began_well: true,
            cuts: 0,
            credit: dice.roll(),
        };
        steps.push(Step::Ramps { share: self.ramp.share(now), why });
    }

    pub(super) fn record_ramp(
        &mut self,
        good: bool,
        late: bool,
        now: Seconds,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        self.ramp.note(good);
        if !good || self.belief.is_in_doubt() {
            self.weigh(now, Results::one(good, late), dice, steps);
        }
        let sure = self.belief.down() < DOWN_TO_CLOSE;
        if self.mode == Mode::Ramp && self.ramp.share(now) >= 1.0 && self.ramp.good >= GOOD_TO_CLOSE && sure {
            self.mode = Mode::Closed;
            self.incident.closed_at = Some(now);
            self.tally.at = now;
            self.baseline.resume(now);
            self.begin_closed(now);
            steps.push(Step::Closed);
        }
    }

    /// The dependency is alive, but cannot take this much.
    pub(super) fn cut(&mut self, now: Seconds, why: WhyRamp, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        let share = self.share(now) * 0.5;
        if share < LEAST_SHARE {
            return self.trip(now, Opening::CutAway, dice, steps);
        }
        self.ramp.share = share;
        self.ramp.cuts += 1;
        self.ramp.since = now;
        self.ramp.length = (2.0 * self.ramp.length).clamp(RAMP_AFTER_CUT, RAMP_LONGEST);
        self.ramp.evidence_from = now;
        self.ramp.good_since_cut = 0;
        self.acquit();
        self.throttles_since_cut = 0;
        steps.push(Step::Ramps { share, why });
    }

    /// A throttled call; returns whether there is nothing more to learn from it.
    pub(super) fn throttled(
        &mut self,
        call: Admitted,
        hint: Option<Seconds>,
        now: Seconds,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) -> bool {
        if self.watch != Watch::No {
            return true;
        }
        self.throttles_in_a_row += 1;
        self.throttles_since_cut += u32::from(call.start >= self.ramp.evidence_from);
        let obeyed = self.throttles_in_a_row >= THROTTLES_TO_OBEY || self.mode == Mode::Open;
        if let Some(hint) = hint.filter(|_| obeyed) {
            if self.mode != Mode::Open {
                self.incident.tripped_at = now;
                self.incident.relapses = 0;
                self.open(now, Opening::Asked(hint), dice, steps);
            }
            let hold = now + hint.min(self.numbers.hint_max) * (1.0 + 0.05 * dice.roll());
            self.waiting = Waiting { hold: Some(hold), next: hold, latest: hold, ..self.waiting };
            return true;
        }
        let in_ramp = match self.mode {
            Mode::Open => return false,
            Mode::Closed => false,
            Mode::Ramp => true,
        };
        let ripe = !in_ramp || now - self.ramp.evidence_from >= self.baseline.typical();
        if self.throttles_since_cut >= THROTTLES_TO_CUT && ripe {
            if !in_ramp {
                self.incident.tripped_at = now;
                self.incident.relapses = 0;
                self.mode = Mode::Ramp;
                // A ramp begins here: nothing of the one before is part of it.
                let (length, good, cuts) = (0.0, 0, 0);
                self.ramp = Ramp { length, good, good_beginning: 0, began_well: true, cuts, ..self.ramp };
            }
            self.cut(now, WhyRamp::Throttled, dice, steps);
        }
        true
    }

    pub(super) fn forgive_throttles(&mut self) {
        self.throttles_in_a_row = 0;
        if self.mode == Mode::Closed {
            self.throttles_since_cut = 0;
        }
    }
}

impl Ramp {
    pub(super) fn share(&self, now: Seconds) -> f64 {
        if self.length < 1e-3 {
            1.0
        } else {
            (self.share + (now - self.since).max(0.0) / self.length).min(1.0)
        }
    }

    pub(super) fn attempt(&mut self, now: Seconds) -> bool {
        self.credit += self.share(now);
        let admitted = self.credit >= 1.0;
        if admitted {
            self.credit -= 1.0;
        }
        admitted
    }

    pub(super) fn note(&mut self, good: bool) {
        if good {
            self.good += 1;
            self.good_since_cut += 1;
            self.good_beginning += u32::from(self.began_well);
        } else {
            self.began_well = false;
        }
    }
}
