use crate::counts::Counts;
use crate::observe::Interest;

/// An event that only adapters act on; received by
/// [`Listener::on_signal`](crate::Listener::on_signal).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Signal {
    /// A probe ended without a verdict: its slot is free again.
    ProbeEnded,
    /// A time window moved to its next bucket, or a tumbling one to its next interval. Sent by the thread
    /// whose call found the bucket over, at most once for each bucket in which a call ends.
    WindowRolled {
        /// The counts of the window now, that call included.
        counts: Counts,
    },
}

impl Signal {
    /// The kind of this signal, for [`Listener::interest`](crate::Listener::interest).
    pub fn interest(&self) -> Interest {
        match self {
            Signal::ProbeEnded => Interest::PROBES,
            Signal::WindowRolled { .. } => Interest::WINDOW_ROLLS,
        }
    }
}
