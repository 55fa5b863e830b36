use super::head::{Head, Kind};
use crate::sync::{AtomicU64, Ordering};

/// What has been recorded through a head since the breaker was built. A window is a difference of
/// two of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) successes: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

/// How many sums there are.
const SUMS: usize = 3;

impl Sums {
    fn from_array([successes, failures, slow]: [u64; SUMS]) -> Sums {
        Sums { successes, failures, slow }
    }

    fn to_array(self) -> [u64; SUMS] {
        [self.successes, self.failures, self.slow]
    }

    /// Outcomes recorded through the head.
    pub(super) fn recorded(&self) -> u64 {
        self.successes + self.failures
    }

    pub(super) fn with(self, kind: Kind) -> Sums {
        Sums {
            successes: self.successes + u64::from(!kind.failure),
            failures: self.failures + u64::from(kind.failure),
            slow: self.slow + u64::from(kind.slow),
        }
    }

    pub(super) fn parities(&self) -> u64 {
        self.to_array().iter().enumerate().fold(0, |bits, (place, sum)| bits | (sum & 1) << place)
    }
}

/// The sums as atomics. Each only grows, and by one at a time; whether a step has been applied to
/// one of them is told by its lowest bit, which the head foretells.
#[derive(Debug)]
pub(super) struct AtomicSums([AtomicU64; SUMS]);

impl AtomicSums {
    pub(super) fn new() -> AtomicSums {
        AtomicSums(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// A moment's sums, whatever step is under way.
    pub(super) fn glance(&self) -> Sums {
        Sums::from_array(std::array::from_fn(|place| self.0[place].load(Ordering::Acquire)))
    }

    /// Applies the step of `head` and gives the sums after it; none if the head has moved on.
    ///
    /// Exactly once: a sum is loaded, the head is seen unmoved after that, so what was loaded is from
    /// before or after this very step and its parity tells which; and as a sum never takes a value
    /// twice, the compare-and-swap of a helper who comes late fails.
    pub(super) fn apply(&self, head: Head, unmoved: impl Fn() -> bool) -> Option<Sums> {
        let mut after = [0; SUMS];
        for (place, sum) in self.0.iter().enumerate() {
            let seen = sum.load(Ordering::Acquire);
            after[place] = seen;
            if seen & 1 != head.parity(place) {
                if !unmoved() {
                    return None;
                }
                after[place] = seen + 1;
                // A failure means that somebody else has applied it.
                let _ = sum.compare_exchange(seen, seen + 1, Ordering::AcqRel, Ordering::Acquire);
            }
        }
        unmoved().then(|| Sums::from_array(after))
    }
}
