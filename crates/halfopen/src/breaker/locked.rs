use crate::observe::StateChange;
use crate::state::Machine;
use crate::totals::Totals;

/// State that changes only under the transition lock.
pub(crate) struct Locked {
    pub(crate) machine: Machine,
    /// Allocated at the first transition.
    counters: Option<Box<Counters>>,
}

/// Counters of transitions and of the events about them.
#[derive(Default)]
pub(crate) struct Counters {
    /// The sequence number of the last event.
    sequence: u64,
    /// The number of visits after the first. The ledger counts each of them once among the rejections.
    visits: u64,
    /// The number of rejections when the current visit began.
    pub(crate) rejected_before: u64,
    pub(crate) trips: u64,
    pub(crate) would_trip: u64,
    pub(crate) last_trip: Option<StateChange>,
    /// Whether a rule held at the last outcome in metrics-only.
    pub(crate) held: bool,
    /// Whether a configuration has disabled the breaker and no operator has set it since.
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
        // Compared first, so that clearing a flag that was never set allocates no counters.
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
    /// Begins a visit. `rejected` is the ledger's count, which includes one for this visit and each one before it.
    pub(crate) fn begin_visit(&mut self, rejected: u64) {
        // The ledger adds one to its rejections for each visit, so that its number, which rejections compare, is
        // never the same in two visits. Here those are taken out again.
        self.visits += 1;
        self.rejected_before = rejected.saturating_sub(self.visits);
        // A rule that held in the visit before is reported again if it holds in this one.
        self.held = false;
    }

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        totals.trips = self.trips;
        totals.would_trip = self.would_trip;
        totals.rejected = totals.rejected.saturating_sub(self.visits);
    }
}
