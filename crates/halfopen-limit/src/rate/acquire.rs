use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use halfopen::Rejected;
use pin_project_lite::pin_project;

use super::RateLimiter;
use super::meter::{Arrival, Turn};
use crate::timer::Timer;

pin_project! {
    /// The future of [`RateLimiter::acquire`].
    ///
    /// # Cancel safety
    ///
    /// Dropped before its turn, the call gives its place back and those behind move up. Dropped after its
    /// turn has come, it has used its call.
    #[must_use = "futures do nothing unless polled"]
    pub struct AcquireRate {
        limiter: RateLimiter,
        calls: u32,
        place: Option<Place>,
        #[pin]
        timer: Timer,
    }
}

/// A place in the queue, left when it is dropped; after the turn there is nothing to leave.
struct Place {
    limiter: RateLimiter,
    number: u64,
}

impl AcquireRate {
    pub(super) fn new(limiter: RateLimiter, calls: u32) -> AcquireRate {
        AcquireRate { limiter, calls, place: None, timer: Timer::default() }
    }
}

impl Future for AcquireRate {
    type Output = Result<(), Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let limiter = &*this.limiter;
        let meter = &limiter.0.meter;
        let now = limiter.now();
        let wait = match this.place {
            None => match meter.take_or_queue_slow(now, *this.calls, limiter.0.max_wait, cx.waker()) {
                Arrival::Permitted => return Poll::Ready(Ok(())),
                Arrival::Refused(refused) => return Poll::Ready(Err(limiter.reject_slow(refused))),
                Arrival::Queued { place, wait } => {
                    *this.place = Some(Place { limiter: limiter.clone(), number: place });
                    Some(wait)
                }
            },
            Some(place) => {
                let slept = this.timer.as_mut().poll(cx).is_ready();
                match meter.poll_turn(place.number, now, slept, cx.waker()) {
                    Turn::Come => return Poll::Ready(Ok(())),
                    Turn::Waiting { shorter } => shorter,
                }
            }
        };
        let Some(wait) = wait else { return Poll::Pending };
        this.timer.as_mut().set_to(Some(Duration::from_nanos(wait)));
        if this.timer.poll(cx).is_ready() {
            // Not reached with tokio's timer, which is at least a millisecond away; asked again if it is.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.limiter.0.meter.leave(self.number, self.limiter.now());
    }
}

impl fmt::Debug for AcquireRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireRate")
            .field("limiter", &self.limiter)
            .field("calls", &self.calls)
            .field("waiting", &self.place.is_some())
            .finish_non_exhaustive()
    }
}
