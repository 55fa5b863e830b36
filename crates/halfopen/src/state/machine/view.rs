//! What an admission would find, and what a person is told: questions, which change nothing.

use std::time::Duration;

use super::{Admission, Machine, refuse};
use crate::clock::Tick;
use crate::counts::Counts;
use crate::reason::{Cause, RejectReason, TripReason};
use crate::state::half_open::Probes;
use crate::word::State;

/// The breaker as an admission at some moment would find it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) since: Tick,
    /// None where the window has them.
    pub(crate) counts: Option<Counts>,
    pub(crate) left: Option<u64>,
    pub(crate) reopenings: u32,
    pub(crate) wait: u64,
    /// The wait that a server asked for, where it is why the wait is so long.
    pub(crate) hint: Option<u64>,
    /// Whether this is what the state word says, or what time has made of it since.
    pub(crate) moved: bool,
    /// When time alone will change it.
    pub(super) next: Tick,
    has_slot: bool,
    /// Why a call is rejected that finds no slot.
    full: RejectReason,
    /// The share of the calls that passes, in parts per billion.
    pub(crate) share_ppb: u32,
    /// The moment it is of: no earlier than the last change.
    now: Tick,
}

impl View {
    /// How long until time alone changes it; none if it does not.
    pub(crate) fn changes_in(&self) -> Option<Duration> {
        (self.next != Tick::NEVER).then(|| Duration::from_nanos(self.next.since(self.now)))
    }

    /// The moment at which time alone changes it; none if it does not.
    pub(crate) fn changes_at(&self) -> Option<Duration> {
        (self.next != Tick::NEVER).then(|| Duration::from_nanos(self.next.0))
    }
}

/// An opening that has happened, or that time has brought about and nobody has noted yet.
#[derive(Clone, Copy)]
struct Opening {
    since: Tick,
    deadline: Tick,
    wait: u64,
    hint: Option<u64>,
    step: u32,
    epoch: u64,
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
        let epoch = machine.epoch + 1;
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
    /// What an admission at `now` would find (S18, S24); changes nothing.
    ///
    /// A clock that stands before the last change, or was read before it, is taken to stand there (S26): no wait
    /// left is longer than the whole wait.
    pub(crate) fn view(&self, now: Tick) -> View {
        let now = now.max(self.since);
        View { now, ..self.view_at(now) }
    }

    fn view_at(&self, now: Tick) -> View {
        match self.state {
            State::Closed => {
                let openings = self.remembered(now);
                View {
                    reopenings: openings,
                    wait: self.config.wait(None, openings, self.seed, self.epoch + 1),
                    ..self.plain_view()
                }
            }
            State::Open => self.open_view(now, Opening::current(self), false),
            State::HalfOpen => match self.overdue(now) {
                Some(due) => self.open_view(now, Opening::after_overdue(self, due), true),
                None => View {
                    counts: Some(self.probation().counts()),
                    reopenings: self.openings.saturating_sub(1),
                    wait: self.config.wait(None, self.openings, self.seed, self.epoch + 1),
                    next: self.probation().next(now),
                    has_slot: self.probation().has_slot(now),
                    full: self.probation().full(),
                    share_ppb: self.probation().share_ppb(now),
                    ..self.plain_view()
                },
            },
            State::ForcedOpen => View { counts: Some(Counts::default()), left: None, ..self.plain_view() },
            State::Disabled => View { counts: Some(Counts::default()), ..self.plain_view() },
            State::MetricsOnly => self.plain_view(),
        }
    }

    fn plain_view(&self) -> View {
        View {
            state: self.state,
            since: self.since,
            counts: None,
            left: Some(0),
            reopenings: 0,
            wait: self.config.wait(None, 0, self.seed, self.epoch + 2),
            hint: None,
            moved: false,
            next: Tick::NEVER,
            has_slot: true,
            full: RejectReason::HalfOpenSaturated,
            share_ppb: share_of(self.state),
            now: self.since,
        }
    }

    /// An opening, or the half-open visit that follows once its wait is over.
    fn open_view(&self, now: Tick, opening: Opening, moved: bool) -> View {
        let open = View {
            state: State::Open,
            since: opening.since,
            counts: Some(opening.counts),
            left: Some(opening.deadline.since(now)),
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
            left: Some(0),
            wait: self.config.wait(None, opening.step.saturating_add(1), self.seed, opening.epoch + 2),
            hint: None,
            moved: true,
            next: Tick::NEVER,
            has_slot: true,
            ..open
        }
    }

    /// The answer an admission at `now` would get; takes nothing.
    pub(crate) fn check(&self, now: Tick) -> Admission {
        let view = self.view(now);
        match view.state {
            State::Closed | State::Disabled | State::MetricsOnly => Admission::Permitted,
            State::Open => {
                // Open without an opening that anybody has noted: a probe is overdue.
                let overdue = Cause::plain(TripReason::ProbeTimedOut);
                let cause = if view.moved { overdue } else { self.cause() };
                Admission::Refused { reason: RejectReason::Open, left: view.left.unwrap_or(0), cause }
            }
            State::HalfOpen if view.has_slot => Admission::Permitted,
            State::HalfOpen => refuse(view.full),
            State::ForcedOpen => refuse(RejectReason::ForcedOpen),
        }
    }

    /// Why it opened last, as of `now`.
    pub(crate) fn why(&self, now: Tick) -> Cause {
        match self.overdue(now) {
            Some(_) if self.state == State::HalfOpen => Cause::plain(TripReason::ProbeTimedOut),
            Some(_) | None => self.cause(),
        }
    }

    /// The probes of the visit that goes on at `now`, or that will be the next: a visit is judged to its end
    /// by the numbers it began with, the next by those of its time.
    pub(crate) fn probes(&self, now: Tick) -> Probes {
        if self.state == State::HalfOpen && self.overdue(now).is_none() {
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
