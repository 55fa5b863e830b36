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
    /// The steps that the visits after the first have added to the sum of the rejections.
    steps: u64,
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
    /// Begins a visit with the steps that it adds to the sum of the rejections, and that sum.
    pub(crate) fn begin_visit(&mut self, (steps, sum): (u64, u64)) {
        self.steps += steps;
        // A step makes the number that rejections compare differ from that of every visit before; here the steps are taken
        // out again.
        self.rejected_before = sum.saturating_sub(self.steps);
        // A rule that held in the visit before is reported again if it holds in this one.
        self.held = false;
    }

    pub(crate) fn add_to(&self, totals: &mut Totals) {
        totals.trips = self.trips;
        totals.would_trip = self.would_trip;
        totals.rejected = totals.rejected.saturating_sub(self.steps);
    }
}
