use std::sync::OnceLock;

use crate::breaker::CustomRule;
use crate::clock::Tick;
use crate::listeners::Listeners;
use crate::state::Cause;
use crate::sync::{AtomicU64, Ordering};
use crate::totals::{Ledger, Timing};

/// What a healthy breaker does without if it times no calls and nobody listens: made when it is first
/// needed, and apart from what the healthy path reads.
pub(crate) struct Aside {
    pub(crate) timing: Timing,
    pub(crate) ledger: Ledger,
    pub(crate) listeners: OnceLock<Box<Listeners>>,
    pub(crate) custom: Box<[CustomRule]>,
    /// While open: when the wait is over, how long it is as a whole, and why it opened; written before the word is published.
    deadline: AtomicU64,
    wait: AtomicU64,
    cause: [AtomicU64; 2],
}

impl Aside {
    pub(crate) fn new(custom: Box<[CustomRule]>) -> Aside {
        Aside {
            timing: Timing::default(),
            ledger: Ledger::default(),
            listeners: OnceLock::new(),
            custom,
            deadline: AtomicU64::new(u64::MAX),
            wait: AtomicU64::new(0),
            cause: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    /// For those who listen.
    pub(crate) fn listeners(&self) -> &Listeners {
        self.listeners.get_or_init(|| Box::new(Listeners::new()))
    }

    /// Says until when the breaker is open, and why.
    pub(crate) fn set_opening(&self, deadline: Tick, wait: u64, cause: Cause) {
        self.deadline.store(deadline.0, Ordering::Release);
        self.wait.store(wait, Ordering::Release);
        for (word, value) in self.cause.iter().zip(cause.to_words()) {
            word.store(value, Ordering::Release);
        }
    }

    /// What was said last; it belongs to a visit only if that visit goes on after this.
    #[inline]
    pub(crate) fn opening(&self) -> (Tick, u64, [u64; 2]) {
        let deadline = Tick(self.deadline.load(Ordering::Acquire));
        let wait = self.wait.load(Ordering::Acquire);
        // The numbers before the reasons, against the order in which they are written: should the breaker
        // be opened anew meanwhile, new reasons may stand with old numbers they do not tell, but never old
        // reasons with new numbers.
        let numbers = self.cause[1].load(Ordering::Acquire);
        (deadline, wait, [self.cause[0].load(Ordering::Acquire), numbers])
    }
}
