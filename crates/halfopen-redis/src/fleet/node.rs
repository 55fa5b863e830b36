//! The decisions of a node: its report of a breaker, and the effect of the fleet's answer on that breaker. Pure
//! functions of values that were read before.

use std::time::Duration;

use halfopen::{Snapshot, State};

/// A breaker of this process, as far as the fleet is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    pub(super) state: State,
    /// The rest of the wait while open.
    pub(super) wait: Duration,
    /// The sequence number of the last opening.
    pub(super) opening: u64,
}

/// The last answer of the fleet about a breaker, and the role that follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) epoch: u64,
    pub(super) role: Role,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// The breaker follows its own outcomes alone.
    #[default]
    Free,
    /// The fleet has opened it, by this opening.
    Held { opening: u64 },
    /// It probes for the fleet; its last opening was this one.
    Prober { opening: u64 },
}

/// The report of a node about a breaker in a sync: one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Nothing = 0,
    WantsToProbe = 1,
    Probing = 2,
    Passed = 3,
    Failed = 4,
}

/// The answer of the fleet about a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) epoch: u64,
    pub(super) phase: Phase,
}

/// The state of a shared breaker in its fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The nodes count their calls together.
    #[default]
    Closed,
    /// The fleet is open.
    Open {
        /// The rest of the lease: without an answer from the server, nodes wait no longer.
        lease: Duration,
    },
    /// Another node probes.
    Probing {
        /// The rest of the lease.
        lease: Duration,
    },
    /// This node probes.
    Prober {
        /// The time in which it is to report.
        lease: Duration,
    },
    /// The wait is over: the next node that rejects a call becomes the prober.
    HalfOpen,
}

/// The effect of an answer on the breaker of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Leave,
    OpenFor(Duration),
    EndWait,
}

impl Local {
    pub(super) fn of(snapshot: &Snapshot) -> Local {
        Local {
            state: snapshot.state,
            wait: snapshot.retry_after.unwrap_or_default(),
            opening: snapshot.last_trip.as_ref().map_or(0, |trip| trip.sequence),
        }
    }
}

/// Returns the report of a node, with the calls that have ended and those that were rejected since its last sync.
pub(super) fn report(local: Local, heard: Heard, ended: u64, rejected: u64) -> Report {
    match (heard.role, local.state) {
        (Role::Prober { .. }, State::Closed) => Report::Passed,
        // Still in the opening with which it became the prober, it has not probed yet.
        (Role::Prober { opening }, State::Open) if local.opening != opening => Report::Failed,
        // A prober without calls lets its lease end, so that a node with calls gets it.
        (Role::Prober { .. }, State::HalfOpen) if ended > 0 => Report::Probing,
        (Role::Prober { .. }, _) => Report::Nothing,
        // Only a node that has calls to make can find out whether they succeed.
        (Role::Held { .. } | Role::Free, State::Open | State::HalfOpen) if rejected > 0 => {
            Report::WantsToProbe
        }
        (Role::Held { .. } | Role::Free, _) => Report::Nothing,
    }
}

/// Returns the effect of the answer on the breaker. `slack` is how much earlier than the lease a wait may end without being
/// extended, so that no answer extends it by the time that the next one took less.
pub(super) fn act(local: Local, heard: Heard, answer: Answer, slack: Duration) -> Action {
    match answer.phase {
        Phase::Closed => match heard.role {
            // Opened by the fleet and by nothing since: it probes now. An opening of its own runs to its end.
            Role::Held { opening } if local.state == State::Open && local.opening == opening => {
                Action::EndWait
            }
            Role::Held { .. } | Role::Prober { .. } | Role::Free => Action::Leave,
        },
        Phase::Open { lease } | Phase::Probing { lease } => hold(local, lease, slack),
        // Once for each turn: the wait after a probe that failed is not to be ended by an answer about the same turn.
        Phase::Prober { .. } if local.state == State::Open && !is_prober(heard, answer) => Action::EndWait,
        Phase::Prober { .. } | Phase::HalfOpen => Action::Leave,
    }
}

/// An open breaker is extended to the lease and never beyond it, a closed or half-open one opens.
fn hold(local: Local, lease: Duration, slack: Duration) -> Action {
    match local.state {
        State::Closed | State::HalfOpen => Action::OpenFor(lease),
        State::Open if local.wait + slack < lease => Action::OpenFor(lease),
        // Open for long enough, or under an override.
        _ => Action::Leave,
    }
}

/// Returns the new role of the node, with the breaker in its state after the action.
pub(super) fn hear(heard: Heard, answer: Answer, action: Action, after: Local) -> Heard {
    let role = match answer.phase {
        Phase::Closed => Role::Free,
        Phase::HalfOpen => match heard.role {
            Role::Held { .. } => heard.role,
            Role::Free | Role::Prober { .. } => Role::Free,
        },
        Phase::Prober { .. } if is_prober(heard, answer) => heard.role,
        Phase::Prober { .. } => Role::Prober { opening: after.opening },
        Phase::Open { .. } | Phase::Probing { .. } => match (action, heard.role) {
            (Action::OpenFor(_), _) => Role::Held { opening: after.opening },
            (Action::Leave | Action::EndWait, Role::Held { opening }) => Role::Held { opening },
            // Opened by the probe that it made for the fleet.
            (Action::Leave | Action::EndWait, Role::Prober { .. }) => Role::Held { opening: after.opening },
            (Action::Leave | Action::EndWait, Role::Free) => Role::Free,
        },
    };
    Heard { epoch: answer.epoch, role }
}

fn is_prober(heard: Heard, answer: Answer) -> bool {
    matches!(heard.role, Role::Prober { .. }) && heard.epoch == answer.epoch
}

#[cfg(test)]
mod tests;
