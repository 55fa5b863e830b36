use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Listener, Subscription};
use crate::sync::{Mutex, lock};

/// How many events wait in a receiver for which no capacity was given.
const CAPACITY: usize = 256;

/// Receives what a breaker does, for code that awaits; made by [`CircuitBreaker::events`].
///
/// It never holds the breaker up: where its reader is too slow, events are dropped and counted
/// ([`dropped`](Self::dropped)). The newest are kept, and changes (of state, configuration, resets,
/// would-trips) go before rejections: a flood of rejections pushes no change out. Changes arrive in
/// the order of their `sequence`.
///
/// Needs no runtime. With the feature `stream` it is a `Stream`.
pub struct Events {
    waiting: Arc<Shared>,
    _subscription: Subscription,
}

/// What the listener and the receiver share.
struct Shared(Mutex<Line>);

/// The listener's end; when the breaker drops it, no more events come.
struct Sender(Arc<Shared>);

/// Events in the order of their arrival, in two lines so that each can be cut by itself.
struct Line {
    capacity: usize,
    changes: VecDeque<(u64, Event)>,
    others: VecDeque<(u64, Event)>,
    arrived: u64,
    dropped: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl CircuitBreaker {
    /// Lets asynchronous code hear what this breaker does; up to 256 events wait for it.
    ///
    /// It receives what [`Interest::default`](crate::Interest) contains: changes and rejections. For the
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
    ///             return change.to; // here: wake somebody up
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

    /// The same as [`events`](Self::events); up to `capacity` events wait, at least one.
    pub fn events_with_capacity(&self, capacity: usize) -> Events {
        let waiting = Arc::new(Shared(Mutex::new(Line::new(capacity.max(1)))));
        let _subscription = self.subscribe(Sender(Arc::clone(&waiting)));
        Events { waiting, _subscription }
    }
}

impl Events {
    /// Waits for the next event; none when the breaker is gone and all its events were received.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an event is taken only when it is returned.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// The next event if one waits; none otherwise, also when the breaker is gone.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.waiting.line(Line::pop)
    }

    /// Polls for the next event: the base of [`recv`](Self::recv).
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        // Wakers are user code: cloned before the lock is taken, dropped after it is given back.
        let waker = context.waker().clone();
        let (answer, _old) = self.waiting.line(|line| match line.pop() {
            Some(event) => (Poll::Ready(Some(event)), None),
            None if line.closed => (Poll::Ready(None), None),
            None => (Poll::Pending, line.waker.replace(waker)),
        });
        answer
    }

    /// How many events were dropped because this reader was too slow.
    pub fn dropped(&self) -> u64 {
        self.waiting.line(|line| line.dropped)
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
    fn line<T>(&self, f: impl FnOnce(&mut Line) -> T) -> T {
        f(&mut lock(&self.0))
    }

    /// Changes the line and wakes the reader, outside the lock.
    fn tell(&self, f: impl FnOnce(&mut Line)) {
        let waker = self.line(|line| {
            f(line);
            line.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Listener for Sender {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        self.0.tell(|line| line.push(event.clone()));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.tell(|line| line.closed = true);
    }
}

impl Line {
    fn new(capacity: usize) -> Line {
        Line {
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
        let line = if change { &mut self.changes } else { &mut self.others };
        line.push_back((self.arrived, event));
    }

    /// Drops the oldest that matters least; false if that is the one that comes.
    fn make_room(&mut self, for_change: bool) -> bool {
        self.dropped = self.dropped.saturating_add(1);
        self.others.pop_front().is_some() || (for_change && self.changes.pop_front().is_some())
    }

    fn pop(&mut self) -> Option<Event> {
        let arrival = |line: &VecDeque<(u64, Event)>| line.front().map_or(u64::MAX, |&(arrival, _)| arrival);
        let change_first = arrival(&self.changes) < arrival(&self.others);
        let line = if change_first { &mut self.changes } else { &mut self.others };
        line.pop_front().map(|(_, event)| event)
    }
}

/// Whether an event has its place in the order of changes.
fn is_change(event: &Event) -> bool {
    match event {
        Event::StateChanged(_)
        | Event::WouldTrip { .. }
        | Event::RampChanged { .. }
        | Event::Reset { .. }
        | Event::ConfigChanged { .. } => true,
        Event::Rejected(_) | Event::Recorded { .. } | Event::Overflowed { .. } => false,
    }
}
