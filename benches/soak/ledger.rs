use std::sync::atomic::{AtomicU64, Ordering};

/// The operations on a breaker, as counted by their callers.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Permits acquired; after the round each of them must have ended.
    pub(crate) permits: Count,
    pub(crate) rejections: Count,
    /// Panics thrown at the breaker from classifiers, rules and listeners.
    pub(crate) panics: Count,
    /// Operations that listeners may still start; unbounded, they would never stop.
    entries: AtomicU64,
}

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    // Relaxed, so that the counting does not order anything that the breaker must order.
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

    /// Counts a permit or a rejection, and returns it.
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

    /// Throws a panic that the caller must catch, and counts it.
    pub(crate) fn throw(&self) -> ! {
        self.panics.add();
        throw()
    }
}

/// An intended panic: the panic hook does not report it.
pub(crate) fn throw() -> ! {
    std::panic::resume_unwind(Box::new("meant"))
}
