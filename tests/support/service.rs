//! An inner service that performs the request, and a journal of the polls and calls of all its clones.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use halfopen::Rejected;
use tower::Service;

/// A request: the behaviour of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Do {
    /// Returns [`Done`].
    Succeed,
    /// Returns [`Broken::InCall`].
    Fail,
    /// Never completes.
    Hang,
    /// Panics in `call`.
    PanicInCall,
    /// Panics when the future is polled.
    PanicInFuture,
}

/// The response of the inner service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done;

/// The error of the inner service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A call has failed.
    InCall,
    /// `poll_ready` has failed.
    InPollReady,
    /// Returned by a test's `on_rejected`.
    Refused(Rejected),
}

/// The behaviour of `poll_ready`.
#[derive(Clone, Copy, Debug, Default)]
pub enum Readiness {
    /// Ready.
    #[default]
    Ready,
    /// Pending forever.
    Stuck,
    /// Fails.
    Broken,
}

/// The inner service. Panics on a call to an instance that was not polled ready.
pub struct Inner {
    journal: Journal,
    ready: bool,
}

/// The polls and calls of an inner service and all its clones.
#[derive(Clone, Default)]
pub struct Journal(Arc<Entries>);

#[derive(Default)]
struct Entries {
    polls: AtomicUsize,
    calls: AtomicUsize,
    reserved: AtomicUsize,
    instances: AtomicUsize,
    readiness: Mutex<Readiness>,
}

impl Journal {
    /// Creates an instance of the service.
    pub fn service(&self) -> Inner {
        self.0.instances.fetch_add(1, Ordering::SeqCst);
        Inner { journal: self.clone(), ready: false }
    }

    /// Returns the number of polls for readiness.
    pub fn polls(&self) -> usize {
        self.0.polls.load(Ordering::SeqCst)
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// Returns the number of instances that are ready and not called yet.
    pub fn reserved(&self) -> usize {
        self.0.reserved.load(Ordering::SeqCst)
    }

    /// Returns the number of instances that were created.
    pub fn instances(&self) -> usize {
        self.0.instances.load(Ordering::SeqCst)
    }

    /// Sets the readiness of all instances.
    pub fn become_(&self, readiness: Readiness) {
        *self.0.readiness.lock().unwrap() = readiness;
    }
}

impl Service<Do> for Inner {
    type Response = Done;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Done, Broken>> + Send + Sync>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let entries = &self.journal.0;
        entries.polls.fetch_add(1, Ordering::SeqCst);
        let readiness = *entries.readiness.lock().unwrap();
        match readiness {
            _ if self.ready => Poll::Ready(Ok(())),
            Readiness::Ready => {
                self.ready = true;
                entries.reserved.fetch_add(1, Ordering::SeqCst);
                Poll::Ready(Ok(()))
            }
            Readiness::Stuck => Poll::Pending,
            Readiness::Broken => Poll::Ready(Err(Broken::InPollReady)),
        }
    }

    fn call(&mut self, request: Do) -> Self::Future {
        assert!(self.ready, "called on an instance that was not polled ready");
        self.release();
        self.journal.0.calls.fetch_add(1, Ordering::SeqCst);
        assert_ne!(request, Do::PanicInCall, "as requested");
        Box::pin(poll_fn(move |_| match request {
            Do::Succeed => Poll::Ready(Ok(Done)),
            Do::Fail => Poll::Ready(Err(Broken::InCall)),
            Do::Hang => Poll::Pending,
            Do::PanicInCall | Do::PanicInFuture => panic!("as requested"),
        }))
    }
}

impl Inner {
    fn release(&mut self) {
        if std::mem::take(&mut self.ready) {
            self.journal.0.reserved.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        self.journal.service()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::InCall => f.write_str("broken in the call"),
            Broken::InPollReady => f.write_str("broken for good"),
            Broken::Refused(_) => f.write_str("refused"),
        }
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Broken::Refused(rejected) => Some(rejected),
            Broken::InCall | Broken::InPollReady => None,
        }
    }
}
