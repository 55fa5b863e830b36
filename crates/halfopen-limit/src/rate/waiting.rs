use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use halfopen::Rejected;
use pin_project_lite::pin_project;

use super::meter::{Arrival, Meter, Refused, Turn};
use crate::timer::Timer;

/// A quota that calls wait for: that of a limiter, or of one key.
pub(super) trait Queue: Clone {
    fn meter(&self) -> &Meter;

    fn now(&self) -> u64;

    /// Nanoseconds.
    fn max_wait(&self) -> u64;

    /// Counts and returns the rejection.
    fn reject_slow(&self, refused: Refused) -> Rejected;
}

pin_project! {
    /// Waits for the turn of calls in a queue.
    pub(super) struct Waiting<Q: Queue> {
        queue: Q,
        calls: u32,
        place: Option<Place<Q>>,
        #[pin]
        timer: Timer,
    }
}

/// A place in the queue, left when it is dropped; after the turn there is nothing to leave.
struct Place<Q: Queue> {
    queue: Q,
    number: u64,
}

impl<Q: Queue> Waiting<Q> {
    pub(super) fn new(queue: Q, calls: u32) -> Waiting<Q> {
        Waiting { queue, calls, place: None, timer: Timer::default() }
    }

    pub(super) fn queue(&self) -> &Q {
        &self.queue
    }

    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    pub(super) fn is_queued(&self) -> bool {
        self.place.is_some()
    }
}

impl<Q: Queue> Future for Waiting<Q> {
    type Output = Result<(), Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let queue = &*this.queue;
        let meter = queue.meter();
        let now = queue.now();
        let wait = match this.place {
            None => match meter.take_or_queue_slow(now, *this.calls, queue.max_wait(), cx.waker()) {
                Arrival::Permitted => return Poll::Ready(Ok(())),
                Arrival::Refused(refused) => return Poll::Ready(Err(queue.reject_slow(refused))),
                Arrival::Queued { place, wait } => {
                    *this.place = Some(Place { queue: queue.clone(), number: place });
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
        // No new turn: the timer is still set to the old one.
        let Some(wait) = wait else { return Poll::Pending };
        this.timer.as_mut().set_to(Some(Duration::from_nanos(wait)));
        if this.timer.poll(cx).is_ready() {
            // Not reached with tokio's timer, which is at least a millisecond away; asked again if it is.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<Q: Queue> Drop for Place<Q> {
    fn drop(&mut self) {
        // Also after the turn was taken, when it finds no such place and does nothing.
        self.queue.meter().leave(self.number, self.queue.now());
    }
}
