use crate::observe::StateChange;
use crate::state::Machine;
use crate::totals::Totals;

/// What changes only under the transition lock.
pub(crate) struct Locked {
    pub(crate) machine: Machine,
    /// None until there is something to remember.
    counters: Option<Box<Counters>>,
}

/// What has happened so far.
#[derive(Default)]
pub(crate) struct Counters {
    /// The number of the last event.
    sequence: u64,
    /// Visits that began after the first, each of which is counted among the rejections.
    visits: u64,
    /// Rejections when this visit began.
    pub(crate) rejected_before: u64,
    pub(crate) trips: u64,
    pub(crate) would_trip: u64,
    pub(crate) last_trip: Option<StateChange>,
    /// Whether a rule held at the last outcome in metrics-only.
    pub(crate) held: bool,
    /// Whether a configuration has disabled it, and no operator has spoken since.
    disabled_by_rule: bool,
}

impl Locked {
    pub(crate) fn new(machine: Machine) -> Locked {
        Locked { machine, counters: None }
    }

    pub(crate) fn counters(&self) -> Option<&Counters> {
        self.counters.as_deref()
    }

    pub(crate) fn counters_mut(&mut self) -> &mut Counters {
        self.counters.get_or_insert_default()
    }

    pub(crate) fn is_disabled_by_rule(&self) -> bool {
        self.counters().is_some_and(|counters| counters.disabled_by_rule)
    }

    pub(crate) fn set_disabled_by_rule(&mut self, disabled: bool) {
        if disabled != self.is_disabled_by_rule() {
            self.counters_mut().disabled_by_rule = disabled;
        }
    }

    pub(crate) fn next_sequence(&mut self) -> u64 {
        let counters = self.counters_mut();
        counters.sequence += 1;
        counters.sequence
    }
}

impl Counters {
    /// A visit begins; `rejected` is what the ledger says, this visit and those before included.
    pub(crate) fn begin_visit(&mut self, rejected: u64) {
        self.visits += 1;
        self.rejected_before = rejected.saturating_sub(self.visits);
        self.held = false;
    }

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        totals.trips = self.trips;
        totals.would_trip = self.would_trip;
        totals.rejected = totals.rejected.saturating_sub(self.visits);
    }
}
