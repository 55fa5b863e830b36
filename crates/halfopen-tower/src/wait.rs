mod alarm;
mod changes;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use halfopen::{CircuitBreaker, OwnedPermit, Rejected};
use tokio::sync::futures::OwnedNotified;

use self::alarm::{Alarm, Ring};
use self::changes::Changes;
use crate::admission::{Admission, Readiness};
use crate::sealed::Sealed;

/// Admits calls with one breaker and waits while it is open:
/// [`CircuitBreakerLayer::wait_while_open`](crate::CircuitBreakerLayer::wait_while_open).
pub struct Waiting {
    breaker: CircuitBreaker,
    /// The subscription that all clones share.
    changes: Arc<Changes>,
    /// `poll_ready` has returned `Ready` and there was no call since.
    ready: bool,
    wait: Option<Wait>,
}

/// A wait for the breaker to permit calls, woken by an event or by the timer.
struct Wait {
    changed: Pin<Box<OwnedNotified>>,
    alarm: Alarm,
}

impl Waiting {
    /// Creates an admission by `breaker`.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::with(breaker, Arc::default())
    }

    fn with(breaker: CircuitBreaker, changes: Arc<Changes>) -> Self {
        Self { breaker, changes, ready: false, wait: None }
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { breaker, changes, wait, .. } = self;
        let Wait { changed, alarm } = wait
            .get_or_insert_with(|| Wait { changed: Box::pin(changes.next(breaker)), alarm: Alarm::new() });
        loop {
            // Registers the waker before the breaker is read, so that a change after the read wakes the task. The
            // opposite order would lose a change in between.
            while changed.as_mut().poll(cx).is_ready() {
                changed.set(changes.next(breaker));
            }
            let Some((_, until)) = halfopen::adapter::refusal_until(breaker) else { return Poll::Ready(()) };
            // The end of the open period and the timeout of a probe pass without an event: the breaker notices
            // them when it is read. So the task needs a timer as well.
            let Some(until) = until else { return Poll::Pending };
            let remaining = until.saturating_sub(breaker.now());
            match ready!(alarm.poll_until(until, remaining, cx)) {
                Ring::Ask => {}
                Ring::GiveUp => return Poll::Ready(()),
            }
        }
    }
}

// Readiness and the wait stay with the original, as each clone is polled by its own task.
impl Clone for Waiting {
    fn clone(&self) -> Self {
        Self::with(self.breaker.clone(), Arc::clone(&self.changes))
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = self.wait.is_some();
        f.debug_struct("Waiting").field("breaker", &self.breaker.name()).field("waits", &waits).finish()
    }
}

impl Sealed for Waiting {}

impl<Request> Admission<Request> for Waiting {
    fn poll_readiness(&mut self, cx: &mut Context<'_>) -> Poll<Readiness> {
        // Readiness that was reported lasts until the call, even if the breaker opens in between: the call is
        // rejected then.
        if !self.ready && (self.wait.is_some() || halfopen::adapter::refusal(&self.breaker).is_some()) {
            ready!(self.poll_wait(cx));
            // The next wait registers anew: between two waits the task need not be woken by changes.
            self.wait = None;
        }
        Poll::Ready(Readiness::Ready)
    }

    fn set_ready(&mut self) {
        self.ready = true;
    }

    fn acquire(&mut self, _: &Request) -> Result<OwnedPermit, Rejected> {
        self.ready = false;
        self.breaker.try_acquire_owned()
    }

    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        self.ready = false;
        halfopen::adapter::acquire_if_permitted(&self.breaker)
    }
}
