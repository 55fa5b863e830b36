use crate::clock::Tick;
use crate::counts::Counts;
use crate::reason::{Cause, RampReason};
use crate::word::State;

/// One transition, as the machine made it; becomes a [`StateChange`](crate::StateChange) when told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) cause: Cause,
    pub(crate) counts: Counts,
    /// When it happened, which may be before somebody noticed (S24).
    pub(crate) at: Tick,
}

/// What the machine did in one step, in order.
pub(crate) type Log = Vec<Entry>;

/// Something the listeners are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Change(Change),
    /// A visit to half-open admits this share of the calls from now on.
    Ramp {
        share_ppb: u32,
        reason: RampReason,
    },
    Reset,
    ConfigChanged,
}
