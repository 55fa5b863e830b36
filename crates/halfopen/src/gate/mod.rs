//! Consumers that pause while a breaker rejects calls.

#[cfg(feature = "stream")]
mod messages;
mod place;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::breaker::{CircuitBreaker, Waiting, WakeOnEvent};
use crate::word::State;

#[cfg(feature = "stream")]
pub use messages::{Gated, GatedMessages};
pub use place::Place;

/// Pauses the consumer of a queue while the breaker of its dependency rejects calls.
///
/// A consumer that goes on in an outage takes messages from the queue, fails each, and rejects or requeues it: the
/// outage of a database becomes a queue of dead letters. Behind a gate it stops taking messages instead, and the broker
/// keeps them.
///
/// - While calls are rejected, the gate is shut. Nothing is polled meanwhile: the consumer is woken by the breaker.
/// - In half-open it admits no more messages than there are free probes, whatever the number of consumers that share it.
/// - It acknowledges nothing and loses nothing. A message that the client of the broker has prefetched stays there,
///   unacknowledged, and the client goes on to send its heartbeats.
///
/// The gate takes no permit: the handler of a message makes its call through the breaker, by an adapter or with
/// [`CircuitBreaker::call`]. Clones share the gate.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use halfopen::{CircuitBreaker, Gate};
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::builder("database").build();
/// let gate = Gate::new(breaker.clone());
/// breaker.open_for(Duration::from_millis(5));
///
/// // Returns when the wait is over. The place is held while the message is handled.
/// let place = gate.open().await;
/// let message = "from a queue";
/// let stored = breaker.call(|| async { Ok::<_, std::io::Error>(message.len()) }).await;
/// drop(place);
/// # stored.unwrap(); }
/// ```
///
/// # Prefetched messages
///
/// The time for which a client may keep a message without acknowledging it is a setting of the broker: 30 minutes
/// (`consumer_timeout`) of RabbitMQ, 30 seconds (`ack_wait`) of a JetStream consumer. Prefetch few messages where an outage
/// can be longer. A core NATS subscription has no broker that keeps its messages: it drops them when its buffer is full.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

struct Shared {
    breaker: CircuitBreaker,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    /// The number of places that are held.
    held: u64,
    /// The tasks that wait for a place, each once.
    waiting: Vec<Arc<WakeOnEvent>>,
}

impl Gate {
    /// Creates a gate for the messages whose handlers call through this breaker.
    pub fn new(breaker: CircuitBreaker) -> Gate {
        Gate { shared: Arc::new(Shared { breaker, places: Mutex::default() }) }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.shared.breaker
    }

    /// Waits until a message may be taken, and returns the place for it.
    ///
    /// Resolves immediately while the breaker is closed. Hold the [`Place`] until the message is handled: in half-open the
    /// number of places is that of the free probes.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. The future holds only its own registrations, which end when it is dropped.
    pub async fn open(&self) -> Place {
        let mut waiting = None;
        poll_fn(|context| self.poll_open(&mut waiting, context)).await
    }

    fn poll_open(&self, waiting: &mut Option<WaitingForPlace>, context: &Context<'_>) -> Poll<Place> {
        if let Some(place) = self.try_open() {
            // Woken no more: the place that it has got may be released in the same poll.
            *waiting = None;
            return Poll::Ready(place);
        }
        let registered = waiting.get_or_insert_with(|| WaitingForPlace::new(&self.shared));
        self.shared.breaker.wake_on_change(&mut registered.waiting, context);
        registered.listed();
        // Tried again after both are registered: what happened in between woke no task.
        match self.try_open() {
            Some(place) => {
                *waiting = None;
                Poll::Ready(place)
            }
            None => Poll::Pending,
        }
    }

    fn try_open(&self) -> Option<Place> {
        let mut places = self.shared.places();
        if places.held >= self.shared.free() {
            return None;
        }
        places.held += 1;
        drop(places);
        Some(Place::new(Arc::clone(&self.shared)))
    }
}

impl Shared {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of messages that may be out.
    fn free(&self) -> u64 {
        match self.breaker.state() {
            State::Closed | State::Disabled | State::MetricsOnly => u64::MAX,
            State::Open | State::ForcedOpen => 0,
            State::HalfOpen if self.breaker.is_rejecting() => 0,
            // A message that is out may be one of the probes in flight. To count it twice is on the safe side.
            State::HalfOpen => self.breaker.snapshot().probes.map_or(u64::MAX, |probes| {
                probes.limit.saturating_sub(probes.in_flight).max(u64::from(probes.has_slot))
            }),
        }
    }

    /// Releases a place, and wakes the tasks that wait for one.
    fn release(&self) {
        let mut places = self.places();
        places.held -= 1;
        let waiting = places.waiting.clone();
        // Wakers are user code.
        drop(places);
        waiting.iter().for_each(|waiting| waiting.wake());
    }
}

/// A task in the list of those that wait for a place, and its registrations at the breaker.
struct WaitingForPlace {
    shared: Arc<Shared>,
    waiting: Option<Waiting>,
    listed: Option<Arc<WakeOnEvent>>,
}

impl WaitingForPlace {
    fn new(shared: &Arc<Shared>) -> WaitingForPlace {
        WaitingForPlace { shared: Arc::clone(shared), waiting: None, listed: None }
    }

    /// Enters the list, once.
    fn listed(&mut self) {
        if let (None, Some(waiting)) = (&self.listed, &self.waiting) {
            let waker = Arc::clone(&waiting.waker);
            self.shared.places().waiting.push(Arc::clone(&waker));
            self.listed = Some(waker);
        }
    }
}

impl Drop for WaitingForPlace {
    fn drop(&mut self) {
        if let Some(listed) = &self.listed {
            self.shared.places().waiting.retain(|waiting| !Arc::ptr_eq(waiting, listed));
        }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = self.shared.places().held;
        f.debug_struct("Gate").field("breaker", &self.shared.breaker).field("held", &held).finish()
    }
}
