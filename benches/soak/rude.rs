use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use halfopen::{CircuitBreaker, Event, Interest, Listener, Subscription};

use crate::configs;
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::subject::Subject;

/// A listener as one should not be.
pub(crate) struct Rude {
    manners: Manners,
    ledger: Arc<Ledger>,
    heard: AtomicU64,
    /// Its own subscription, for one that ends itself.
    own: Arc<Mutex<Option<Subscription>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manners {
    Slow,
    Panics,
    /// Calls the breaker back.
    Enters,
    WantsCalls,
    /// Drops its own subscription inside its callback.
    EndsItself,
}

const MANNERS: [Manners; 5] =
    [Manners::Slow, Manners::Panics, Manners::Enters, Manners::WantsCalls, Manners::EndsItself];

/// Lets a rude listener listen; none if it keeps its subscription itself.
pub(crate) fn subscribe(subject: &Subject, dice: &mut Dice) -> Option<Subscription> {
    let (manners, own) = (dice.of(&MANNERS), Arc::new(Mutex::new(None)));
    let rude = Rude {
        manners,
        ledger: Arc::clone(&subject.ledger),
        heard: AtomicU64::new(dice.below(1 << 20)),
        own: Arc::clone(&own),
    };
    let subscription = subject.breaker.subscribe(rude);
    if manners != Manners::EndsItself {
        return Some(subscription);
    }
    *own.lock().expect("no panic under this lock") = Some(subscription);
    // Should it hear nothing any more, it goes with the next round's.
    subject.breaker.set_config(subject.breaker.config());
    None
}

impl Listener for Rude {
    fn on_event(&self, breaker: &CircuitBreaker, event: &Event) {
        let heard = self.heard.fetch_add(1, Ordering::Relaxed);
        match self.manners {
            Manners::Slow if heard.is_multiple_of(16) => {
                (0..20_000).for_each(|_| hint::spin_loop());
                std::thread::yield_now();
            }
            Manners::Panics if heard.is_multiple_of(8) => self.ledger.throw(),
            Manners::Enters if self.ledger.take_entry() => self.enter(breaker, event, heard),
            Manners::EndsItself => {
                let own = self.own.lock().expect("no panic under this lock").take();
                drop(own);
            }
            Manners::Slow | Manners::Panics | Manners::Enters | Manners::WantsCalls => {}
        }
    }

    fn interest(&self) -> Interest {
        if self.manners == Manners::WantsCalls {
            Interest::default() | Interest::CALLS | Interest::PROBES
        } else {
            Interest::default()
        }
    }
}

impl Rude {
    fn enter(&self, breaker: &CircuitBreaker, event: &Event, heard: u64) {
        match (heard % 8, event) {
            (0, Event::StateChanged(_)) => breaker.reset(),
            (1, Event::StateChanged(_)) => breaker.trip(),
            (2, Event::StateChanged(_)) => breaker.set_config(configs::any(&mut Dice::new(heard))),
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
