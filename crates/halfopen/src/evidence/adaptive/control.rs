//! Controls: what an operator or another configuration changes.

use super::numbers::Numbers;
use super::open::{Incident, Waiting};
use super::steps::{Dice, Mode, Opening};
use super::{Adaptive, Concurrent, Watch};
use crate::evidence::belief::{Belief, Seconds};

impl Adaptive {
    /// Replaces the numbers; the learned ones and the belief stay.
    pub(crate) fn set_numbers(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    /// Opens by a control, and sends no probe before `hold`.
    pub(crate) fn open_by_hand(&mut self, hold: Option<Seconds>, now: Seconds, dice: &mut impl Dice) {
        self.incident.tripped_at = now;
        self.incident.relapses = 0;
        self.belief = Belief::unknown(now, 0.0);
        self.open(now, Opening::CutAway, dice, &mut Vec::new());
        if let Some(hold) = hold {
            self.waiting = Waiting { hold: Some(hold), next: hold, latest: hold, ..self.waiting };
        }
    }

    /// Ends the wait: the next call is a probe.
    pub(crate) fn probe_now(&mut self, now: Seconds) {
        self.waiting = Waiting { hold: None, next: now, latest: now, ..self.waiting };
    }

    /// Closes by a control: without a doubt; the learned numbers stay.
    pub(crate) fn close_by_hand(&mut self, now: Seconds) {
        self.mode = Mode::Closed;
        self.begin_epoch(now);
        self.waiting.hold = None;
        self.incident = Incident { tripped_at: 0.0, closed_at: None, age: 0.0, relapses: 0 };
        self.ramp.length = 0.0;
        self.acquit();
        self.baseline.resume(now);
        self.begin_closed(now);
    }

    /// Only watches from now on, in closed, or decides again.
    pub(crate) fn watch(&mut self, watches: bool) {
        self.watch = if watches { Watch::Closed } else { Watch::No };
    }

    pub(super) fn begin_closed(&mut self, now: Seconds) {
        self.degraded = false;
        if let Some(Concurrent { traffic, schedule }) = &mut self.concurrent {
            schedule.begin(traffic, now);
        }
    }
}
