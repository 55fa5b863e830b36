use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rmcp::service::{Peer, RoleClient, RunningService, Service};

/// A session with a server, which ends when this value is dropped.
pub struct Connection {
    peer: Peer<RoleClient>,
    /// Answers of the server, errors among them.
    answers: AtomicU64,
    /// A call on it failed, so that it may be dead without a sign.
    is_suspect: AtomicBool,
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
        }
        self.is_suspect.store(!is_answer, Ordering::Relaxed);
    }

    /// Returns true if a probe needs a new connection.
    pub(crate) fn is_suspect(&self) -> bool {
        self.is_suspect.load(Ordering::Relaxed)
    }
}

impl<S: Service<RoleClient>> From<RunningService<RoleClient, S>> for Connection {
    fn from(session: RunningService<RoleClient, S>) -> Connection {
        Connection {
            peer: session.peer().clone(),
            answers: AtomicU64::new(0),
            is_suspect: AtomicBool::new(false),
            _session: Box::new(session),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("answers", &self.answers())
            .field("is_suspect", &self.is_suspect())
            .finish_non_exhaustive()
    }
}
