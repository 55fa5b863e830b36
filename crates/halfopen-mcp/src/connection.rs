use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rmcp::service::{Peer, RoleClient, RunningService, Service};

/// After so many calls in a row without an answer, the next call gets a new connection.
const UNANSWERED: u32 = 3;

/// A session with a server, which ends when this value is dropped.
pub struct Connection {
    peer: Peer<RoleClient>,
    /// Answers of the server, errors among them.
    answers: AtomicU64,
    /// Calls in a row that failed, so that it may be dead without a sign.
    unanswered: AtomicU32,
    // Its drop cancels the session, and ends a child process.
    _session: Box<dyn Any + Send + Sync>,
}

impl Connection {
    /// Returns the peer, for requests that bypass breakers, timeouts and limits.
    pub fn peer(&self) -> &Peer<RoleClient> {
        &self.peer
    }

    pub(crate) fn answers(&self) -> u64 {
        // A count alone: nothing else is published by it.
        self.answers.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, is_answer: bool) {
        if is_answer {
            self.answers.fetch_add(1, Ordering::Relaxed);
            self.unanswered.store(0, Ordering::Relaxed);
        } else {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns true if the next call needs a new connection. A probe is worth one sooner.
    pub(crate) fn is_lost(&self, is_probe: bool) -> bool {
        let enough = if is_probe { 1 } else { UNANSWERED };
        self.peer.is_transport_closed() || self.unanswered.load(Ordering::Relaxed) >= enough
    }
}

impl<S: Service<RoleClient>> From<RunningService<RoleClient, S>> for Connection {
    fn from(session: RunningService<RoleClient, S>) -> Connection {
        Connection {
            peer: session.peer().clone(),
            answers: AtomicU64::new(0),
            unanswered: AtomicU32::new(0),
            _session: Box::new(session),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("answers", &self.answers())
            .field("unanswered", &self.unanswered)
            .finish_non_exhaustive()
    }
}
