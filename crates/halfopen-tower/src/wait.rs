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
use crate::sealed::Sealed;
use crate::{Admission, Readiness};

/// One breaker, waited for: [`CircuitBreakerLayer::wait_while_open`](crate::CircuitBreakerLayer::wait_while_open).
pub struct Waiting {
    breaker: CircuitBreaker,
    /// One subscription for all who wait.
    changes: Arc<Changes>,
    /// `Ready` was returned, and lasts until the next call.
    ready: bool,
    wait: Option<Wait>,
}

/// A wait for a breaker: woken by its events, or by time.
struct Wait {
    changed: Pin<Box<OwnedNotified>>,
    alarm: Alarm,
}

impl Waiting {
    /// Waits for this breaker.
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
            // Registered before the question: a change from now on wakes the task.
            while changed.as_mut().poll(cx).is_ready() {
                changed.set(changes.next(breaker));
            }
            let Some((_, until)) = halfopen::adapter::refusal_until(breaker) else { return Poll::Ready(()) };
            // The end of the wait, or of the time a probe has: neither is an event until the breaker is asked.
            let Some(until) = until else { return Poll::Pending };
            let remaining = until.saturating_sub(breaker.now());
            match ready!(alarm.poll_until(until, remaining, cx)) {
                Ring::Ask => {}
                Ring::GiveUp => return Poll::Ready(()),
            }
        }
    }
}

// A clone is neither ready nor waiting.
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
        if !self.ready && (self.wait.is_some() || halfopen::adapter::refusal(&self.breaker).is_some()) {
            ready!(self.poll_wait(cx));
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
