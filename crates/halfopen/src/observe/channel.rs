use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Listener, Subscription};
use crate::sync::{Mutex, lock};

/// The default capacity.
const CAPACITY: usize = 256;

/// Receives the events of a breaker in asynchronous code; created by [`CircuitBreaker::events`].
///
/// A receiver never blocks the breaker: if its reader is too slow, events are dropped and counted
/// ([`dropped`](Self::dropped)). The newest are kept, and changes (of state and configuration, resets,
/// would-trips) take precedence: rejections never displace a change. Changes arrive in
/// the order of their `sequence`.
///
/// It needs no runtime. With the feature `stream` it implements `Stream`.
pub struct Events {
    shared: Arc<Shared>,
    _subscription: Subscription,
}

/// The state that the listener and the receiver share.
struct Shared(Mutex<Queue>);

/// The sending half. When the breaker drops it, the channel is closed.
struct Sender(Arc<Shared>);

/// Events in the order of their arrival, in two queues so that the oldest of each kind can be dropped.
struct Queue {
    capacity: usize,
    changes: VecDeque<(u64, Event)>,
    others: VecDeque<(u64, Event)>,
    arrived: u64,
    dropped: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl CircuitBreaker {
    /// Returns a receiver of the events of this breaker, with a capacity of 256 events.
    ///
    /// It receives the kinds of events in [`Interest::default`](crate::Interest): changes and rejections. For the
    /// other kinds see [`Listener::interest`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use halfopen::{CircuitBreaker, Event, State};
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// let mut events = breaker.events();
    /// let pager = tokio::spawn(async move {
    ///     while let Some(event) = events.recv().await {
    ///         if let Event::StateChanged(change) = event {
    ///             return change.to; // page the operator here
    ///         }
    ///     }
    ///     State::Closed
    /// });
    ///
    /// breaker.trip();
    /// assert_eq!(pager.await.unwrap(), State::Open);
    /// # }
    /// ```
    pub fn events(&self) -> Events {
        self.events_with_capacity(CAPACITY)
    }

    /// Like [`events`](Self::events), with a capacity of `capacity` events, at least one.
    pub fn events_with_capacity(&self, capacity: usize) -> Events {
        let shared = Arc::new(Shared(Mutex::new(Queue::new(capacity.max(1)))));
        let _subscription = self.subscribe(Sender(Arc::clone(&shared)));
        Events { shared, _subscription }
    }
}

impl Events {
    /// Receives the next event, or [`None`] if the breaker was dropped and all its events were received.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: an event is removed only when it is returned.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// Returns the next event if one is queued, or [`None`] if there is none or the breaker was dropped.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.shared.with(Queue::pop)
    }

    /// Polls for the next event, as [`recv`](Self::recv) does.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        // Wakers are user code: the new one is cloned before the lock is taken, the old one dropped after it is
        // released.
        let waker = context.waker().clone();
        let (answer, _old) = self.shared.with(|queue| match queue.pop() {
            Some(event) => (Poll::Ready(Some(event)), None),
            None if queue.closed => (Poll::Ready(None), None),
            // In the same step under the lock that found the queue empty: an event that is pushed after it wakes
            // this waker.
            None => (Poll::Pending, queue.waker.replace(waker)),
        });
        answer
    }

    /// Returns the number of events that were dropped because the reader was too slow.
    pub fn dropped(&self) -> u64 {
        self.shared.with(|queue| queue.dropped)
    }
}

#[cfg(feature = "stream")]
impl futures_core::Stream for Events {
    type Item = Event;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_recv(context)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

impl Shared {
    fn with<T>(&self, f: impl FnOnce(&mut Queue) -> T) -> T {
        f(&mut lock(&self.0))
    }

    /// Changes the queue, then wakes the reader without holding the lock.
    fn change(&self, f: impl FnOnce(&mut Queue)) {
        // Taken under the lock in the step that changes the queue: a reader that finds the queue empty has stored its
        // waker before.
        let waker = self.with(|queue| {
            f(queue);
            queue.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Listener for Sender {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        self.0.change(|queue| queue.push(event.clone()));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // The subscription drops its listener with the breaker: the events that are queued are still received
        // before the end.
        self.0.change(|queue| queue.closed = true);
    }
}

impl Queue {
    fn new(capacity: usize) -> Queue {
        Queue {
            capacity,
            changes: VecDeque::new(),
            others: VecDeque::new(),
            arrived: 0,
            dropped: 0,
            closed: false,
            waker: None,
        }
    }

    fn push(&mut self, event: Event) {
        let change = is_change(&event);
        if self.changes.len() + self.others.len() >= self.capacity && !self.make_room(change) {
            return;
        }
        self.arrived += 1;
        let queue = if change { &mut self.changes } else { &mut self.others };
        queue.push_back((self.arrived, event));
    }

    /// Drops the oldest event of the least important kind. Returns false if the new event has to be dropped instead.
    fn make_room(&mut self, for_change: bool) -> bool {
        self.dropped = self.dropped.saturating_add(1);
        // Calls and rejections come by the thousand and are dropped first. A change is dropped only for a newer
        // change.
        self.others.pop_front().is_some() || (for_change && self.changes.pop_front().is_some())
    }

    /// Removes the event that arrived first.
    fn pop(&mut self) -> Option<Event> {
        // The arrival numbers merge the two queues into one order.
        let arrival =
            |queue: &VecDeque<(u64, Event)>| queue.front().map_or(u64::MAX, |&(arrival, _)| arrival);
        let change_first = arrival(&self.changes) < arrival(&self.others);
        let queue = if change_first { &mut self.changes } else { &mut self.others };
        queue.pop_front().map(|(_, event)| event)
    }
}

/// Returns whether an event is a change, and has a sequence number.
fn is_change(event: &Event) -> bool {
    match event {
        Event::StateChanged(_)
        | Event::WouldTrip { .. }
        | Event::RampChanged { .. }
        | Event::Degraded { .. }
        | Event::Reset { .. }
        | Event::ConfigChanged { .. } => true,
        Event::Rejected(_) | Event::Recorded { .. } | Event::Overflowed { .. } => false,
    }
}
