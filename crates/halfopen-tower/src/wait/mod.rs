mod alarm;
mod wake;

use std::fmt;
use std::task::{Context, Poll, ready};

use halfopen::{CircuitBreaker, OwnedPermit, Rejected};

use self::alarm::Alarm;
use self::wake::Wake;
use crate::sealed::Sealed;
use crate::{Admission, Door};

/// One breaker, waited for: [`CircuitBreakerLayer::wait_while_open`](crate::CircuitBreakerLayer::wait_while_open).
pub struct Waiting {
    breaker: CircuitBreaker,
    wait: Option<Wait>,
}

/// What a wait holds: woken by what happens to the breaker, or by the time.
struct Wait {
    wake: Wake,
    alarm: Alarm,
}

impl Waiting {
    pub(crate) fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker, wait: None }
    }
}

impl Clone for Waiting {
    fn clone(&self) -> Self {
        Self::new(self.breaker.clone())
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
    fn poll_door(&mut self, cx: &mut Context<'_>) -> Poll<Door> {
        loop {
            if let Some(wait) = &self.wait {
                wait.wake.register(cx.waker());
            }
            // Asked after the waker was left: a change from now on wakes it. With the time, in one question:
            // a wait that was over by the second of two would be neither waited for nor told.
            let Some((_, time_left)) = self.breaker.refusal_for() else {
                self.wait = None;
                return Poll::Ready(Door::Pass);
            };
            let Some(wait) = &mut self.wait else {
                // The answer may have changed before anybody listened, so it is asked for again.
                self.wait = Some(Wait { wake: Wake::new(&self.breaker), alarm: Alarm::new() });
                continue;
            };
            // The end of the wait, or of the time a probe has: neither is an event until somebody asks.
            ready!(wait.alarm.poll_in(time_left, cx));
        }
    }

    fn acquire(&mut self, _: &Request) -> Result<OwnedPermit, Rejected> {
        self.breaker.try_acquire_owned()
    }

    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        self.breaker.try_acquire_owned().ok()
    }
}
