use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use halfopen::{CircuitBreaker, OwnedPermit};

use crate::configs;
use crate::ledger::Ledger;
use crate::rng::Rng;
use crate::violations::Violations;
use crate::witness::Witness;

/// A breaker under test, and all counts of it that are kept outside.
pub(crate) struct Subject {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) wants_calls: bool,
    /// Permits that move from one thread to another.
    pub(crate) handed_over: Mutex<Vec<OwnedPermit>>,
    /// The current percentage of failing calls.
    pub(crate) sickness: AtomicU64,
}

/// The name, whether the listener receives every call, and whether the breaker has a custom rule.
const SUBJECTS: [(&str, bool, bool); 5] = [
    ("quiet", false, false),
    ("watched", true, false),
    ("own-rule", false, true),
    ("watched-own-rule", true, true),
    ("flapping", false, false),
];

impl Subject {
    pub(crate) fn all(seed: u64, violations: &Arc<Violations>) -> Vec<Subject> {
        let subject = |(place, &(name, wants_calls, own_rule)): (usize, _)| {
            Subject::new(name, wants_calls, own_rule, seed + place as u64, violations)
        };
        SUBJECTS.iter().enumerate().map(subject).collect()
    }

    fn new(
        name: &str,
        wants_calls: bool,
        own_rule: bool,
        seed: u64,
        violations: &Arc<Violations>,
    ) -> Subject {
        let (ledger, witness) = (Arc::new(Ledger::default()), Witness::new(wants_calls, violations));
        let mut builder = CircuitBreaker::builder(name)
            .config(configs::any(&mut Rng::new(seed)))
            .seed(seed)
            .listener(Arc::clone(&witness));
        if own_rule {
            let (ledger, asked) = (Arc::clone(&ledger), AtomicU64::new(0));
            builder = builder.ready_to_trip(move |counts| {
                if asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(509) {
                    ledger.throw();
                }
                counts.consecutive_failures >= 9
            });
        }
        Subject {
            breaker: builder.build(),
            ledger,
            witness,
            wants_calls,
            handed_over: Mutex::default(),
            sickness: AtomicU64::new(20),
        }
    }

    pub(crate) fn is_sick(&self, rng: &mut Rng) -> bool {
        rng.below(100) < self.sickness.load(Ordering::Relaxed)
    }

    pub(crate) fn pool(&self) -> std::sync::MutexGuard<'_, Vec<OwnedPermit>> {
        self.handed_over.lock().expect("no panic under this lock")
    }
}
