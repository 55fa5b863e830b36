//! The operator's overrides, and configurations of a running breaker.

use std::collections::BTreeSet;

use super::breaker::{Breaker, Phase, Wait};
use super::memory::Memory;
use super::settings::Settings;
use super::words::{Nanos, Queued, Reason, State};

impl Breaker {
    /// No effect in Open or under an override. An open breaker whose wait is over is half-open.
    pub(crate) fn trip(&mut self) {
        self.catch_up();
        self.settle_wait();
        match self.state() {
            State::Closed | State::HalfOpen => self.open(self.moment(), &manual(), Wait::Usual),
            State::Open | State::ForcedOpen | State::Disabled | State::MetricsOnly => {}
        }
    }

    /// In Open it opens again, as part of the same outage and without another backoff step; no effect under an
    /// override.
    pub(crate) fn open_for(&mut self, wait: Nanos) {
        self.catch_up();
        self.settle_wait();
        match self.state() {
            State::Closed | State::HalfOpen => self.open(self.moment(), &manual(), Wait::Fixed(wait)),
            State::Open => {
                self.openings = self.openings.saturating_sub(1);
                self.open(self.moment(), &manual(), Wait::Fixed(wait));
            }
            State::ForcedOpen | State::Disabled | State::MetricsOnly => {}
        }
    }

    pub(crate) fn force_open(&mut self) {
        self.set_override(Phase::ForcedOpen);
    }

    pub(crate) fn disable(&mut self) {
        self.set_override(Phase::Disabled { by_rule: false });
    }

    /// `enabled` of a configuration, which is not an operator's override: it disables only if there is no
    /// override, and enables only what it has disabled itself. Returns whether that changed anything.
    pub(crate) fn set_enabled(&mut self, enabled: bool) -> bool {
        let own = matches!(self.phase, Phase::Disabled { by_rule: true });
        match self.state() {
            State::Disabled if own && enabled => self.force_closed(),
            State::Closed | State::Open | State::HalfOpen if !enabled => {
                self.set_override(Phase::Disabled { by_rule: true });
            }
            State::Closed
            | State::Open
            | State::HalfOpen
            | State::ForcedOpen
            | State::Disabled
            | State::MetricsOnly => return false,
        }
        true
    }

    pub(crate) fn metrics_only(&mut self) {
        let memory = Memory::new(self.settings.window, self.moment());
        self.set_override(Phase::MetricsOnly { memory, holding: false });
    }

    pub(crate) fn force_closed(&mut self) {
        self.set_override(Phase::Closed(Memory::new(self.settings.window, self.moment())));
    }

    pub(crate) fn reset(&mut self) {
        self.force_closed();
        self.queued.push(Queued::Reset);
    }

    /// Ends everything in progress, including the step of the backoff.
    fn set_override(&mut self, phase: Phase) {
        self.catch_up();
        let counts = self.counts();
        self.openings = 0;
        self.change(phase, &manual(), counts, self.moment());
    }

    /// S30. A due reopening counts as having happened under the old settings, so it is made first.
    pub(crate) fn set_config(&mut self, settings: Settings) {
        self.catch_up();
        let moment = self.moment();
        if let Phase::Closed(memory) | Phase::MetricsOnly { memory, .. } = &mut self.phase {
            memory.reshape(settings.window, moment);
        }
        self.settings = settings;
        self.provide_ring();
        self.queued.push(Queued::ConfigChanged);
    }
}

fn manual() -> BTreeSet<Reason> {
    BTreeSet::from([Reason::Manual])
}
