use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use halfopen::{CircuitBreaker, Event, Interest, Listener, Subscription};

use crate::configs;
use crate::ledger::Ledger;
use crate::rng::Rng;
use crate::subject::Subject;

/// A listener with one of the faults that a breaker must tolerate.
pub(crate) struct FaultyListener {
    fault: Fault,
    ledger: Arc<Ledger>,
    heard: AtomicU64,
    /// The subscription of a listener that ends itself.
    own: Arc<Mutex<Option<Subscription>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Slow,
    Panics,
    /// Calls the breaker back.
    Enters,
    WantsCalls,
    /// Drops its own subscription inside its callback.
    EndsItself,
}

const FAULTS: [Fault; 5] = [Fault::Slow, Fault::Panics, Fault::Enters, Fault::WantsCalls, Fault::EndsItself];

/// Subscribes a faulty listener. Returns [`None`] if the listener keeps its subscription itself.
pub(crate) fn subscribe(subject: &Subject, rng: &mut Rng) -> Option<Subscription> {
    let (fault, own) = (rng.of(&FAULTS), Arc::new(Mutex::new(None)));
    let faulty = FaultyListener {
        fault,
        ledger: Arc::clone(&subject.ledger),
        heard: AtomicU64::new(rng.below(1 << 20)),
        own: Arc::clone(&own),
    };
    let subscription = subject.breaker.subscribe(faulty);
    if fault != Fault::EndsItself {
        return Some(subscription);
    }
    *own.lock().expect("no panic under this lock") = Some(subscription);
    // One more event. If the listener misses it, an event of the next round ends the subscription.
    subject.breaker.set_config(subject.breaker.config());
    None
}

impl Listener for FaultyListener {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        let heard = self.heard.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Slow if heard.is_multiple_of(16) => {
                (0..20_000).for_each(|_| hint::spin_loop());
                std::thread::yield_now();
            }
            Fault::Panics if heard.is_multiple_of(8) => self.ledger.throw(),
            Fault::Enters if self.ledger.take_entry() => self.enter(breaker, event, heard),
            Fault::EndsItself => {
                let own = self.own.lock().expect("no panic under this lock").take();
                drop(own);
            }
            Fault::Slow | Fault::Panics | Fault::Enters | Fault::WantsCalls => {}
        }
    }

    fn interest(&self) -> Interest {
        if self.fault == Fault::WantsCalls {
            Interest::default() | Interest::CALLS | Interest::PROBES
        } else {
            Interest::default()
        }
    }
}

impl FaultyListener {
    fn enter(&self, breaker: &CircuitBreaker, event: &Event, heard: u64) {
        match (heard % 8, event) {
            (0, Event::StateChanged(_)) => breaker.reset(),
            (1, Event::StateChanged(_)) => breaker.trip(),
            (2, Event::StateChanged(_)) => breaker.set_config(configs::any(&mut Rng::new(heard))),
            (3, _) => drop(self.ledger.seen(breaker.try_acquire())),
            (4, _) => {
                if let Some(permit) = self.ledger.seen(breaker.try_acquire()) {
                    permit.failure();
                }
            }
            _ => {
                if let Some(permit) = self.ledger.seen(breaker.try_acquire_owned()) {
                    permit.success();
                }
            }
        }
    }
}
