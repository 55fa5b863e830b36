use std::sync::atomic::{AtomicU64, Ordering};

/// What was done to a breaker, as those saw it who did it.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Permits given; when the dust has settled each of them has ended.
    pub(crate) permits: Count,
    pub(crate) rejections: Count,
    /// Panics thrown at the breaker from classifiers, rules and listeners.
    pub(crate) panics: Count,
    /// What a listener may still do of its own accord; without an end to it they would go on for ever.
    entries: AtomicU64,
}

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    // Relaxed, so that the counting orders nothing that the breaker should order.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

const MOST_ENTRIES: u64 = 8;

impl Ledger {
    pub(crate) fn allow_entry(&self) {
        let more = |entries| (entries < MOST_ENTRIES).then_some(entries + 1);
        let _ = self.entries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    pub(crate) fn take_entry(&self) -> bool {
        let less = |entries: u64| entries.checked_sub(1);
        self.entries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Counts a permit or a rejection, and hands it on.
    pub(crate) fn seen<P, E>(&self, answer: Result<P, E>) -> Option<P> {
        match answer {
            Ok(permit) => {
                self.permits.add();
                Some(permit)
            }
            Err(_) => {
                self.rejections.add();
                None
            }
        }
    }

    /// Throws a panic that whoever called us must catch, and counts it.
    pub(crate) fn throw(&self) -> ! {
        self.panics.add();
        throw()
    }
}

/// A panic that is meant: the panic hook has nothing to say about it.
pub(crate) fn throw() -> ! {
    std::panic::resume_unwind(Box::new("meant"))
}
