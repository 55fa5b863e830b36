//! The view of an observer: the effective state, even if no transition has been made yet (S18, S24).

use super::breaker::{Breaker, Phase, Visit, WHOLE};
use super::words::{Change, Counts, Nanos, State, Totals, Why};

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) counts: Counts,
    pub(crate) retry_after: Option<Nanos>,
    pub(crate) rejected: u64,
    pub(crate) reopenings: u32,
    pub(crate) open_duration: Nanos,
    pub(crate) in_state_for: Nanos,
    /// In parts per billion.
    pub(crate) share: u64,
    pub(crate) ramp_left: Option<Nanos>,
    pub(crate) totals: Totals,
    pub(crate) last_trip: Option<Change>,
}

impl Breaker {
    /// The totals and the last trip are of past transitions; all else includes those that are due.
    pub(crate) fn view(&self) -> View {
        let due = self.effective();
        let open_duration = match due.phase {
            Phase::Open { wait, .. } => wait,
            _ => due.next_wait(),
        };
        View {
            state: due.state(),
            counts: due.counts(),
            retry_after: due.retry_after(),
            rejected: due.rejected,
            reopenings: due.reopenings(),
            open_duration,
            in_state_for: due.now.saturating_sub(due.since),
            share: due.share(),
            ramp_left: due.ramp_left(),
            totals: self.totals,
            last_trip: self.last_trip.clone(),
        }
    }

    /// Checks for admission without acquiring a permit.
    pub(crate) fn check(&self) -> Result<(), (Why, Option<Nanos>)> {
        self.effective().answer()
    }

    /// The end of the current wait, or the timeout of the first probe in flight.
    pub(crate) fn next_instant(&self) -> Option<Nanos> {
        match &self.effective().phase {
            Phase::Open { deadline, .. } => Some(*deadline),
            Phase::HalfOpen(visit) => {
                let oldest = visit.probes.values().min();
                let due = oldest.map(|oldest| oldest.saturating_add(visit.policy.probe_timeout));
                // S31: in a ramp that would reject the next call, also the time from which it would admit it.
                let grown = visit.admits_at().filter(|_| self.effective().answer().is_err());
                due.into_iter().chain(grown).min()
            }
            Phase::Closed(_) | Phase::ForcedOpen | Phase::Disabled { .. } | Phase::MetricsOnly { .. } => None,
        }
    }

    pub(crate) fn time_left(&self) -> Option<Nanos> {
        self.next_instant().map(|instant| instant - self.moment())
    }

    pub(super) fn effective(&self) -> Breaker {
        let mut due = self.clone();
        due.catch_up();
        due.settle_wait();
        due
    }

    fn share(&self) -> u64 {
        match &self.phase {
            Phase::Closed(_) | Phase::Disabled { .. } | Phase::MetricsOnly { .. } => WHOLE as u64,
            Phase::Open { .. } | Phase::ForcedOpen => 0,
            Phase::HalfOpen(visit) => visit.share(self.moment()) as u64,
        }
    }

    fn ramp_left(&self) -> Option<Nanos> {
        let Phase::HalfOpen(Visit { ramp: Some(ramp), policy, .. }) = &self.phase else { return None };
        Some(policy.ramp.saturating_sub(self.moment().saturating_sub(ramp.began)))
    }

    fn retry_after(&self) -> Option<Nanos> {
        match self.phase {
            Phase::Open { deadline, .. } => Some(deadline - self.moment()),
            Phase::ForcedOpen => None,
            Phase::Closed(_) | Phase::HalfOpen(_) | Phase::Disabled { .. } | Phase::MetricsOnly { .. } => {
                Some(0)
            }
        }
    }

    /// The step of the backoff: of the current opening, or of the last one.
    fn reopenings(&self) -> u32 {
        match self.phase {
            Phase::Open { .. } | Phase::HalfOpen(_) => self.openings.saturating_sub(1),
            _ => self.remembered(self.now),
        }
    }
}
