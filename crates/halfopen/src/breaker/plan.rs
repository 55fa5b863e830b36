//! The user's own function for the waits of a backoff.
//!
//! It is called before the transition lock is taken, and its result is used only if the breaker is still in the
//! visit for which it was called (S27).

use crate::breaker::{CircuitBreaker, caught};
use crate::clock::{Moment, Tick, nanos};
use crate::config::Opening;
use crate::counts::Counts;
use crate::outcome::{Ended, Finished};
use crate::state::Machine;
use crate::word::Epoch;

/// The wait of an opening that has not happened yet, and the visit that the opening would end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) epoch: Epoch,
    pub(crate) wait: u64,
}

impl CircuitBreaker {
    /// Computes the wait of an opening by the rules.
    pub(crate) fn plan_after_calls(&self, counts: &Counts, hint: Option<u64>, now: Tick) -> Option<Plan> {
        self.plan(now, hint, |_| counts.failure_rate())
    }

    /// Computes the wait of the opening to which the end of this probe can lead, or [`None`] if it cannot.
    pub(crate) fn plan_after_probe(&self, call: &Finished, now: Tick) -> Option<Plan> {
        let can_open = match call.ended {
            Ended::Failure => true,
            Ended::Success => call.slow,
            Ended::Ignored | Ended::Abandoned | Ended::Late => false,
        };
        if !can_open {
            return None;
        }
        self.plan(now, call.hint, |machine| machine.counts_with(call).failure_rate())
    }

    /// Computes the wait of an opening by a control, after the transitions that are already due.
    pub(crate) fn plan_by_hand(&self, now: Tick) -> Option<Plan> {
        // Asked first and under the short lock of the window only: without a function of the user's, an opening
        // pays nothing else.
        if !self.has_custom_backoff() {
            return None;
        }
        let window = self.inner().window.counts(&Moment::at(&self.inner().clock, now));
        self.transition(now, |locked, log, now| locked.machine.catch_up_wait(now, log));
        self.plan(now, None, |machine| machine.visit_counts(window).failure_rate())
    }

    /// Computes the wait of the opening that follows if a probe does not report in time.
    ///
    /// It is computed once in a visit and stored with the visit, so that every reader finds the same wait.
    #[cold]
    pub(crate) fn plan_overdue(&self, now: Tick) {
        if let Some(Plan { epoch, wait }) = self.plan(now, None, |_| None) {
            self.inner().locked().machine.plan(epoch, wait);
        }
    }

    fn has_custom_backoff(&self) -> bool {
        self.inner().window.with_config(|config| config.custom_backoff().is_some())
    }

    fn plan(
        &self,
        now: Tick,
        hint: Option<u64>,
        failure_rate: impl FnOnce(&Machine) -> Option<f64>,
    ) -> Option<Plan> {
        if !self.has_custom_backoff() {
            return None;
        }
        // A block, so that the lock is released before the user's function runs.
        let (config, epoch, opening) = {
            let locked = self.inner().locked();
            let machine = &locked.machine;
            let opening = machine.opening_to_come(now)?;
            let failure_rate = failure_rate(machine);
            (machine.config().clone(), machine.epoch(), Opening { failure_rate, ..opening })
        };
        let hint = hint.map(|hint| std::time::Duration::from_nanos(hint.min(config.hint_max_nanos())));
        let opening = Opening { hint, ..opening };
        // The handle of the configuration keeps the function alive, even if it is replaced meanwhile.
        let custom = config.custom_backoff()?;
        let wait = caught(self.inner(), || custom(&opening)).unwrap_or(opening.open_duration);
        Some(Plan { epoch, wait: nanos(wait) })
    }
}
