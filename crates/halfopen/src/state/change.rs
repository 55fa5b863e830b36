use crate::clock::Tick;
use crate::counts::Counts;
use crate::reason::{Cause, RampReason};
use crate::word::State;

/// A transition of the machine, which is reported as a [`StateChange`](crate::StateChange).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) cause: Cause,
    pub(crate) counts: Counts,
    /// The time of the transition, which can be earlier than the step that made it (S24).
    pub(crate) at: Tick,
}

/// The results of one step of the machine, in order.
pub(crate) type Log = Vec<Entry>;

/// A result that is reported to the listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Change(Change),
    /// A half-open visit admits this share of the calls from now on.
    Ramp {
        share_ppb: u32,
        reason: RampReason,
    },
    /// Only watched: the breaker would have opened.
    WouldTrip {
        cause: Cause,
        counts: Counts,
    },
    /// Closed, a dependency is degraded, with this share of bad calls, or no longer so.
    Degraded {
        share_ppb: u32,
    },
    Reset,
    ConfigChanged,
}
