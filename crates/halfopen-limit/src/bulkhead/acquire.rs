use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use halfopen::Rejected;
use pin_project_lite::pin_project;

use super::pool::Arrival;
use super::{Bulkhead, BulkheadPermit, Shared};
use crate::timer::Timer;

pin_project! {
    /// The future of [`Bulkhead::acquire`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves the queue; a slot it has been given meanwhile goes to the next.
    #[must_use = "futures do nothing unless polled"]
    pub struct Acquire {
        bulkhead: Bulkhead,
        place: Option<Place>,
        #[pin]
        timer: Timer,
    }
}

/// A place in the queue: claimed when a slot was given to it, else left when it is dropped.
struct Place {
    shared: Option<Arc<Shared>>,
    number: u64,
}

impl Acquire {
    pub(super) fn new(bulkhead: Bulkhead) -> Acquire {
        Acquire { bulkhead, place: None, timer: Timer::default() }
    }
}

impl Future for Acquire {
    type Output = Result<BulkheadPermit, Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let shared = &this.bulkhead.0;
        match this.place {
            Some(place) => {
                // Asked before the timer: a slot that has come is taken, even if the wait is over too.
                if shared.pool.poll_turn(place.number, cx.waker()).is_ready() {
                    return Poll::Ready(Ok(claim(this.place)));
                }
            }
            None => match shared.pool.enter_or_queue_slow(cx.waker()) {
                Arrival::Entered => return Poll::Ready(Ok(this.bulkhead.permit())),
                Arrival::Full(occupancy) => return Poll::Ready(Err(this.bulkhead.reject_slow(occupancy))),
                // The timer starts with the place in the queue, and not with the future, which may be polled much
                // later.
                Arrival::Queued(number) => {
                    *this.place = Some(Place { shared: Some(Arc::clone(shared)), number });
                    this.timer.as_mut().set_to(shared.max_wait());
                }
            },
        }
        ready!(this.timer.poll(cx));
        // The slot may have come with the end of the wait; it is taken then, not lost.
        let place = this.place.as_ref().map_or(0, |place| place.number);
        if !shared.pool.leave(place) {
            return Poll::Ready(Ok(claim(this.place)));
        }
        let occupancy = shared.pool.occupancy();
        // The place has left the queue above, so its drop must not do it again.
        drop(this.place.take().map(Place::disarm));
        Poll::Ready(Err(this.bulkhead.reject_slow(occupancy)))
    }
}

/// The permit of a waiter that has been given a slot.
fn claim(place: &mut Option<Place>) -> BulkheadPermit {
    let shared = place.take().and_then(Place::disarm);
    BulkheadPermit(shared.expect("a place is claimed once"))
}

impl Place {
    fn disarm(mut self) -> Option<Arc<Shared>> {
        self.shared.take()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            // No longer in the queue: the slot was handed over to this place, and the next waiter has to get it.
            if !shared.pool.leave(self.number) {
                shared.pool.give_back();
            }
        }
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("bulkhead", &self.bulkhead)
            .field("waiting", &self.place.is_some())
            .finish_non_exhaustive()
    }
}
