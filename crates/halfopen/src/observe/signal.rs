use crate::counts::Counts;
use crate::observe::Interest;

/// An event for adapters, delivered to [`Listener::on_signal`](crate::Listener::on_signal).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Signal {
    /// A probe ended without a verdict, so its slot is free again.
    ProbeEnded,
    /// A time window has moved to its next bucket, or a tumbling one to its next interval.
    ///
    /// Sent by the thread whose call ended after the last bucket, at most once for each bucket in which a call ends.
    WindowRolled {
        /// The current counts of the window, including that call.
        counts: Counts,
    },
}

impl Signal {
    /// Returns the kind of this signal, for [`Listener::interest`](crate::Listener::interest).
    pub fn interest(&self) -> Interest {
        match self {
            Signal::ProbeEnded => Interest::PROBES,
            Signal::WindowRolled { .. } => Interest::WINDOW_ROLLS,
        }
    }
}
