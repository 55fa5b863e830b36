//! Queries: the state that an admission would find, and the data of snapshots. They change nothing.

use std::time::Duration;

use super::{Admission, Machine, refuse};
use crate::clock::Tick;
use crate::counts::Counts;
use crate::reason::{Cause, RejectReason, TripReason};
use crate::state::half_open::Probes;
use crate::word::{Epoch, State};

/// The breaker as an admission at a given time would find it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) since: Tick,
    /// [`None`] if they are those of the window.
    pub(crate) counts: Option<Counts>,
    /// The rest of the wait, or [`None`] if it is unknown.
    pub(crate) remaining: Option<u64>,
    pub(crate) reopenings: u32,
    pub(crate) wait: u64,
    /// The server's hint, if it determines the wait.
    pub(crate) hint: Option<u64>,
    /// Whether transitions are due that the machine has not made yet, so that the view differs from its state.
    pub(crate) moved: bool,
    /// The instant at which the view changes by itself; of a breaker with fixed rules.
    pub(super) next: Tick,
    /// Whether a call would be a probe; of a breaker with fixed rules.
    pub(super) has_slot: bool,
    /// The reason for which a call without a slot is rejected.
    pub(super) full: RejectReason,
    /// The admitted share of the calls, in parts per billion.
    pub(crate) share_ppb: u32,
}

/// An opening that the machine has made, or that is due because a probe is overdue.
#[derive(Clone, Copy)]
struct Opening {
    since: Tick,
    deadline: Tick,
    wait: u64,
    hint: Option<u64>,
    step: u32,
    epoch: Epoch,
    counts: Counts,
}

impl Opening {
    fn current(machine: &Machine) -> Opening {
        Opening {
            since: machine.since,
            deadline: machine.deadline(),
            wait: machine.outage().wait,
            hint: machine.outage().hint,
            step: machine.openings.saturating_sub(1),
            epoch: machine.epoch,
            counts: machine.outage().frozen,
        }
    }

    fn after_overdue(machine: &Machine, due: Tick) -> Opening {
        let epoch = machine.epoch.after(1);
        let wait = machine.config.wait(machine.probation().planned, machine.openings, machine.seed, epoch);
        Opening {
            since: due,
            deadline: due.end_of_wait(wait),
            wait,
            hint: None,
            step: machine.openings,
            epoch,
            counts: machine.probation().counts(),
        }
    }
}

impl Machine {
    /// Returns the state that an admission at `now` would find (S18, S24).
    ///
    /// If the clock has stepped back behind the last transition, or was read before it, the time of that transition is
    /// used instead (S26), so the rest of a wait is never longer than the whole wait.
    pub(crate) fn view(&self, now: Tick) -> View {
        self.view_at(now.max(self.since))
    }

    /// Returns the time until the decision about a call changes by itself, or [`None`] if it does not.
    pub(crate) fn changes_in(&self, now: Tick) -> Option<Duration> {
        let now = now.max(self.since);
        self.next_change(now).map(|next| Duration::from_nanos(next.since(now)))
    }

    /// Returns the instant at which it changes, or [`None`] if it does not.
    pub(crate) fn changes_at(&self, now: Tick) -> Option<Duration> {
        self.next_change(now.max(self.since)).map(|next| Duration::from_nanos(next.0))
    }

    fn next_change(&self, now: Tick) -> Option<Tick> {
        // No part of the view of an adaptive breaker: it is searched for, and few ask for it.
        let next = if self.learns() { self.next_by_evidence(now) } else { self.view_at(now).next };
        (next != Tick::NEVER).then_some(next)
    }

    fn view_at(&self, now: Tick) -> View {
        if self.learns() {
            return self.view_by_evidence(now);
        }
        match self.state {
            State::Closed => {
                let openings = self.remembered(now);
                View {
                    reopenings: openings,
                    // An opening begins the next epoch, with which its jitter is drawn: the wait that is shown is
                    // the one that comes. A wait of the user's own function cannot be shown, as it is called only
                    // for an opening.
                    wait: self.config.wait(None, openings, self.seed, self.epoch.after(1)),
                    ..self.plain_view()
                }
            }
            State::Open => self.open_view(now, Opening::current(self), false),
            State::HalfOpen => match self.overdue(now) {
                // The next admission makes this opening first, so a reader sees it as made.
                Some(due) => self.open_view(now, Opening::after_overdue(self, due), true),
                None => View {
                    counts: Some(self.probation().counts()),
                    // The opening that led to this visit is not a reopening.
                    reopenings: self.openings.saturating_sub(1),
                    wait: self.config.wait(None, self.openings, self.seed, self.epoch.after(1)),
                    next: self.probation().next(now),
                    has_slot: self.probation().has_slot(now),
                    full: self.probation().full(),
                    share_ppb: self.probation().share_ppb(now),
                    ..self.plain_view()
                },
            },
            State::ForcedOpen => {
                View { counts: Some(Counts::default()), remaining: None, ..self.plain_view() }
            }
            State::Disabled => View { counts: Some(Counts::default()), ..self.plain_view() },
            State::MetricsOnly => self.plain_view(),
        }
    }

    pub(super) fn plain_view(&self) -> View {
        View {
            state: self.state,
            since: self.since,
            counts: None,
            remaining: Some(0),
            reopenings: 0,
            // An override ends in `Closed`, one epoch on, and only the epoch after that can be an opening; its
            // backoff is at the first step, because an override forgets all openings.
            wait: self.config.wait(None, 0, self.seed, self.epoch.after(2)),
            hint: None,
            moved: false,
            next: Tick::NEVER,
            has_slot: true,
            full: RejectReason::HalfOpenSaturated,
            share_ppb: share_of(self.state),
        }
    }

    /// Returns the view of an opening, or of the half-open visit that follows it if its wait is over.
    fn open_view(&self, now: Tick, opening: Opening, moved: bool) -> View {
        let open = View {
            state: State::Open,
            since: opening.since,
            counts: Some(opening.counts),
            remaining: Some(opening.deadline.since(now)),
            reopenings: opening.step,
            wait: opening.wait,
            hint: opening.hint,
            moved,
            next: opening.deadline,
            share_ppb: share_of(State::Open),
            ..self.plain_view()
        };
        if now < opening.deadline {
            return open;
        }
        View {
            state: State::HalfOpen,
            since: opening.deadline,
            counts: Some(Counts::default()),
            remaining: Some(0),
            // The next opening follows two epochs later: this half-open visit comes in between.
            wait: self.config.wait(None, opening.step.saturating_add(1), self.seed, opening.epoch.after(2)),
            hint: None,
            moved: true,
            next: Tick::NEVER,
            has_slot: true,
            ..open
        }
    }

    /// Returns the decision of an admission at `now`, without taking a slot.
    pub(crate) fn check(&self, now: Tick) -> Admission {
        if self.learns() {
            return self.check_by_evidence(now.max(self.since));
        }
        let view = self.view(now);
        match view.state {
            State::Closed | State::Disabled | State::MetricsOnly => Admission::Permitted,
            State::Open => {
                // The machine has not made this opening yet: a probe is overdue.
                let overdue = Cause::plain(TripReason::ProbeTimedOut);
                let cause = if view.moved { overdue } else { self.cause() };
                Admission::Refused {
                    reason: RejectReason::Open,
                    remaining: view.remaining.unwrap_or(0),
                    cause,
                }
            }
            // Also for an open breaker whose wait is over: its view is half-open.
            State::HalfOpen if view.has_slot => Admission::Permitted,
            State::HalfOpen => refuse(view.full),
            State::ForcedOpen => refuse(RejectReason::ForcedOpen),
        }
    }

    /// Returns the cause of the last opening, as of `now`.
    pub(crate) fn why(&self, now: Tick) -> Cause {
        match self.overdue(now) {
            Some(_) if self.state == State::HalfOpen && !self.learns() => {
                Cause::plain(TripReason::ProbeTimedOut)
            }
            Some(_) | None => self.cause(),
        }
    }

    /// Returns the probes of the half-open visit at `now`, or of the next one.
    ///
    /// The current visit has the configuration with which it began, the next one the current configuration.
    pub(crate) fn probes(&self, now: Tick) -> Probes {
        if self.state == State::HalfOpen && !self.learns() && self.overdue(now).is_none() {
            self.probation().probes(now)
        } else {
            Probes::to_come(&self.config)
        }
    }
}

/// The share of the calls that passes in a state, in parts per billion; in half-open, of one without a ramp.
fn share_of(state: State) -> u32 {
    match state {
        State::Closed | State::Disabled | State::MetricsOnly => 1_000_000_000,
        State::Open | State::HalfOpen | State::ForcedOpen => 0,
    }
}
