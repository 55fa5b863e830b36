//! Waiting until calls are admitted.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::breaker::CircuitBreaker;
use crate::clock::Alarm;
use crate::observe::{Event, Interest, Listener, Signal, Subscription};

impl CircuitBreaker {
    /// Waits until a call would be permitted.
    ///
    /// Intended for code that pauses while calls are rejected, such as the consumer of a queue. The future
    /// resolves immediately if a call would be permitted now. Otherwise it is woken by events of the breaker and,
    /// at the end of a wait or when a probe is overdue, by a timer; nothing is polled in between. It takes no
    /// permit: another caller may be faster, so a call made afterwards can still be rejected.
    ///
    /// The future needs no runtime. While at least one task waits for a timer, the process has one more
    /// thread, named `halfopen-timer`, which serves all of them. With a [manual
    /// clock](crate::Clock), advancing the clock wakes the task.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use halfopen::CircuitBreaker;
    /// use std::time::Duration;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.open_for(Duration::from_millis(5));
    ///
    /// breaker.permitting().await;
    /// breaker.try_acquire().unwrap().success(); // the probe
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. The future holds only its own registrations, which end when it is dropped.
    pub async fn permitting(&self) {
        let mut waiting = None;
        poll_fn(|context| self.poll_permitting(&mut waiting, context)).await;
    }

    fn poll_permitting(&self, waiting: &mut Option<Waiting>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_permitting() {
            return Poll::Ready(());
        }
        self.wake_on_change(waiting, context);
        // Checked again after both are registered: an event between the first check and the registration woke no
        // task.
        if self.is_permitting() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Registers the task for every event that can lead to a permit, and for the end of a wait.
    pub(crate) fn wake_on_change(&self, waiting: &mut Option<Waiting>, context: &Context<'_>) {
        // Subscribed only when the task has to wait, and once for all its polls: a future that is ready at first
        // costs nothing.
        let waiting = waiting.get_or_insert_with(|| Waiting::for_events_of(self));
        // Each poll may come from another task, so the waker is replaced each time.
        waiting.wake(context.waker());
        let ends_in = self.refusal_for().and_then(|(_, ends_in)| ends_in);
        // The old alarm is dropped by this: a wait that became longer must not wake the task at its former end.
        waiting.alarm = ends_in.map(|time| self.inner().clock.wake_in(time, context.waker()));
    }
}

/// The registrations that wake a waiting task.
pub(crate) struct Waiting {
    pub(crate) waker: Arc<WakeOnEvent>,
    _subscription: Subscription,
    alarm: Option<Alarm>,
}

#[derive(Default)]
pub(crate) struct WakeOnEvent(Mutex<Option<Waker>>);

impl Waiting {
    fn for_events_of(breaker: &CircuitBreaker) -> Waiting {
        let waker = Arc::<WakeOnEvent>::default();
        let subscription = breaker.subscribe(Arc::clone(&waker));
        Waiting { waker, _subscription: subscription, alarm: None }
    }

    fn wake(&self, waker: &Waker) {
        // Wakers are user code: the new one is cloned before the lock is taken, the old one dropped after it is
        // released.
        let waker = waker.clone();
        let _old = self.waker.swap(Some(waker));
    }
}

impl WakeOnEvent {
    fn swap(&self, waker: Option<Waker>) -> Option<Waker> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), waker)
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.swap(None) {
            waker.wake();
        }
    }
}

impl Listener for WakeOnEvent {
    fn on_event(&self, _: &CircuitBreaker, _: &Event) {
        self.wake();
    }

    fn on_signal(&self, _: &CircuitBreaker, _: &Signal) {
        self.wake();
    }

    // Only these can lead to a permit: a change of state, or the end of a probe, which frees its slot.
    fn interest(&self) -> Interest {
        Interest::CHANGES | Interest::PROBES
    }
}
