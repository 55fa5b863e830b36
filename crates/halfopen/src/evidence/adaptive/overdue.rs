//! Calls in flight for too long, which are bad before they end.

use super::numbers::SlowLimit;
use super::steps::{Dice, Mode, Step};
use super::tally::Results;
use super::{Adaptive, Concurrent};
use crate::evidence::belief::Seconds;
use crate::evidence::flight::{Overdue, is_old_news};

/// No slow limit is learned below this.
const SLOW_FLOOR: Seconds = 0.7;
/// A probe is overdue after so many times the 95 % quantile, and no sooner than this.
const PROBE_MULTIPLE: f64 = 1.5;
const PROBE_FLOOR: Seconds = 0.02;

impl Adaptive {
    /// From when on an answer is slow, where any is.
    pub(crate) fn slow_limit(&self) -> Option<Seconds> {
        match self.numbers.slow {
            SlowLimit::Off => None,
            SlowLimit::Learned(multiple) => {
                let p95 = self.baseline.p95().filter(|_| self.baseline.is_warm())?;
                Some((p95 * multiple).max(SLOW_FLOOR))
            }
            SlowLimit::Fixed(limit) => Some(limit),
        }
    }

    /// From when on a call in flight is overdue.
    pub(super) fn overdue_limit(&self) -> Option<Seconds> {
        let p95 = self.baseline.p95();
        match (self.numbers.slow, self.mode) {
            (SlowLimit::Off, _) => None,
            (SlowLimit::Fixed(limit), Mode::Closed | Mode::Ramp) => Some(limit),
            (SlowLimit::Learned(multiple), Mode::Closed | Mode::Ramp) => {
                p95.map(|p95| (p95 * multiple).max(SLOW_FLOOR))
            }
            (SlowLimit::Fixed(_) | SlowLimit::Learned(_), Mode::Open) => {
                p95.map(|p95| (p95 * PROBE_MULTIPLE).max(PROBE_FLOOR))
            }
        }
    }

    /// Whatever has been in flight for too long is bad now: each call once, and before it ends.
    pub(super) fn judge_overdue(&mut self, now: Seconds, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        let Some(limit) = self.overdue_limit() else { return };
        while let Some(overdue) = self.take_overdue(now, limit) {
            let too_old = overdue.until < self.ramp.evidence_from;
            if overdue.calls == 0 || too_old || self.is_old_news(now, overdue.until) {
                continue;
            }
            let epoch = self.epoch;
            for _ in 0..overdue.calls {
                match self.mode {
                    Mode::Closed => self.weigh(now, Results::one(false, true), dice, steps),
                    Mode::Ramp => self.record_ramp(false, true, now, dice, steps),
                    Mode::Open => self.probed(now, 1.0, 0.0, dice, steps),
                }
                if self.epoch != epoch {
                    return;
                }
            }
        }
    }

    pub(super) fn take_overdue(&mut self, now: Seconds, limit: Seconds) -> Option<Overdue> {
        let locked = self.flight.take_overdue(now, limit);
        if locked.is_some() || self.mode != Mode::Closed {
            return locked;
        }
        let Concurrent { traffic, schedule } = self.concurrent.as_mut()?;
        schedule.take_overdue(traffic, now, limit)
    }

    pub(super) fn is_old_news(&mut self, now: Seconds, until: Seconds) -> bool {
        let ripe_after = self.baseline.ripe_after();
        let younger = match (self.mode, &mut self.concurrent) {
            (Mode::Closed, Some(Concurrent { traffic, schedule })) => {
                schedule.youngest(traffic, now, until, ripe_after)
            }
            (Mode::Closed | Mode::Open | Mode::Ramp, _) => (0, 0),
        };
        let break_even = self.baseline.break_even(self.numbers.break_even);
        is_old_news(self.flight.youngest(now, until, ripe_after, younger), break_even)
    }
}
