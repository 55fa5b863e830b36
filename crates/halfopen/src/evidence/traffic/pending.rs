//! The outcomes that found the evidence locked.

/// Outcomes that found the evidence locked: of one visit, for the thread that holds the lock.
///
/// ```text
///   │ epoch (28) │ bad (12) │ slow ones of them (12) │ good (12) │
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(super) epoch: u64,
    pub(crate) bad: u64,
    pub(crate) slow: u64,
    pub(crate) good: u64,
}

const PENDING_BITS: u32 = 12;
pub(super) const MOST_PENDING: u64 = (1 << PENDING_BITS) - 1;
pub(super) const EPOCHS: u64 = 1 << 28;

impl Pending {
    pub(super) fn of(word: u64) -> Pending {
        Pending {
            epoch: word >> (3 * PENDING_BITS),
            bad: word >> (2 * PENDING_BITS) & MOST_PENDING,
            slow: word >> PENDING_BITS & MOST_PENDING,
            good: word & MOST_PENDING,
        }
    }

    pub(super) fn word(self) -> u64 {
        self.epoch << (3 * PENDING_BITS)
            | self.bad << (2 * PENDING_BITS)
            | self.slow << PENDING_BITS
            | self.good
    }

    pub(crate) fn is_empty(self) -> bool {
        self.bad == 0 && self.good == 0
    }

    /// With one more outcome of this epoch; [`None`] if a later visit has begun, in which it is late.
    pub(super) fn with(self, epoch: u64, good: bool, slow: bool) -> Option<Pending> {
        let epoch = epoch % EPOCHS;
        let own = match epoch.wrapping_sub(self.epoch) % EPOCHS {
            0 => self,
            ahead if ahead < EPOCHS / 2 => Pending { epoch, ..Pending::default() },
            _ => return None,
        };
        // Thousands that wait for one thread are as good as evidence can be.
        let add = |count: u64, one: bool| (count + u64::from(one)).min(MOST_PENDING);
        Some(Pending {
            good: add(own.good, good),
            bad: add(own.bad, !good),
            slow: add(own.slow, slow && !good),
            ..own
        })
    }
}
