//! An inner service that does what each request says and writes down what was asked of it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use halfopen::Rejected;
use tower::Service;

/// What the inner service shall do with this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    Succeed,
    Fail,
    Hang,
    PanicInCall,
    PanicInFuture,
}

/// The inner service's response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done;

/// The inner service's error; `Refused` is what a test's `on_rejected` makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    InCall,
    InPollReady,
    Refused(Rejected),
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Readiness {
    #[default]
    Ready,
    Stuck,
    Broken,
}

/// Panics if it is called on an instance that was not polled ready.
pub(crate) struct Inner {
    journal: Journal,
    ready: bool,
}

/// What the instances of one inner service, all clones together, were asked.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Entries>);

#[derive(Default)]
struct Entries {
    polls: AtomicUsize,
    calls: AtomicUsize,
    reserved: AtomicUsize,
    instances: AtomicUsize,
    readiness: Mutex<Readiness>,
}

impl Journal {
    pub(crate) fn service(&self) -> Inner {
        self.0.instances.fetch_add(1, Ordering::SeqCst);
        Inner { journal: self.clone(), ready: false }
    }

    pub(crate) fn polls(&self) -> usize {
        self.0.polls.load(Ordering::SeqCst)
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// How many instances are ready and not yet called.
    pub(crate) fn reserved(&self) -> usize {
        self.0.reserved.load(Ordering::SeqCst)
    }

    /// How many instances were ever made.
    pub(crate) fn instances(&self) -> usize {
        self.0.instances.load(Ordering::SeqCst)
    }

    pub(crate) fn become_(&self, readiness: Readiness) {
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
        assert_ne!(request, Do::PanicInCall, "as the request said");
        Box::pin(poll_fn(move |_| match request {
            Do::Succeed => Poll::Ready(Ok(Done)),
            Do::Fail => Poll::Ready(Err(Broken::InCall)),
            Do::Hang => Poll::Pending,
            Do::PanicInCall | Do::PanicInFuture => panic!("as the request said"),
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
