use crate::clock::Tick;
use crate::sync::{AtomicU64, Ordering};
use crate::word::{Epoch, Word};

/// The calls in flight of one visit, by the time of their admission, and the number of overdue ones (S32).
///
/// ```text
///   slot: │ bucket (44 bits)                           │ calls (20 bits) │
/// ```
///
/// Calls are counted in buckets of an eighth of the limit. When all calls of a bucket have been in flight for the limit,
/// they are moved to the number of overdue calls, before the slot is needed again. A call that ends is subtracted where
/// it is counted: in its slot or, if that has been emptied, in the number of overdue calls.
#[derive(Debug)]
pub(crate) struct InFlight {
    epoch: Epoch,
    turn: u8,
    /// The nanoseconds in flight after which a call is overdue.
    limit: u64,
    /// The nanoseconds of a bucket.
    width: u64,
    slots: [AtomicU64; SLOTS as usize],
    /// In two's complement, as a call can be subtracted before the rest of its bucket is added.
    overdue: AtomicU64,
    /// The instant before which no bucket becomes overdue, so that most admissions need not examine the slots.
    quiet_until: AtomicU64,
}

// At least `BUCKETS_PER_LIMIT + 1`: a bucket is overdue when its last call is, and its slot must then be free for the
// bucket that is `SLOTS` later.
#[cfg(not(loom))]
const SLOTS: u64 = 16;
#[cfg(not(loom))]
const BUCKETS_PER_LIMIT: u64 = 8;
// Fewer under loom, because each slot is another atomic that the models explore.
#[cfg(loom)]
const SLOTS: u64 = 2;
#[cfg(loom)]
const BUCKETS_PER_LIMIT: u64 = 1;

/// The minimum width of a bucket in nanoseconds, with which the 44-bit number of a bucket repeats after half a year.
const SHORTEST_BUCKET: u64 = 1_000;

const CALLS_BITS: u32 = 20;
const MOST_CALLS: u64 = (1 << CALLS_BITS) - 1;
const BUCKETS: u64 = 1 << (64 - CALLS_BITS);

/// The contents of a slot: the number of its bucket, and the calls of that bucket.
#[derive(Clone, Copy)]
struct Slot {
    bucket: u64,
    calls: u64,
}

impl Slot {
    fn of(word: u64) -> Slot {
        Slot { bucket: word >> CALLS_BITS, calls: word & MOST_CALLS }
    }

    fn word(self) -> u64 {
        self.bucket << CALLS_BITS | self.calls
    }

    /// Returns the distance from this bucket to `bucket`, modulo [`BUCKETS`]. If this bucket is the later one, the
    /// distance is more than half of that.
    fn before(self, bucket: u64) -> u64 {
        bucket.wrapping_sub(self.bucket) % BUCKETS
    }
}

impl InFlight {
    /// Creates a ring for the calls of one epoch; `turn` distinguishes rings of the same epoch.
    pub(crate) fn new(epoch: Epoch, turn: u8, limit: u64) -> InFlight {
        InFlight {
            epoch,
            turn,
            limit,
            width: limit.div_ceil(BUCKETS_PER_LIMIT).max(SHORTEST_BUCKET),
            slots: std::array::from_fn(|_| AtomicU64::new(0)),
            overdue: AtomicU64::new(0),
            quiet_until: AtomicU64::new(0),
        }
    }

    pub(crate) fn turn(&self) -> u8 {
        self.turn
    }

    /// Returns whether this ring counts calls of this epoch with this limit.
    pub(crate) fn is_for(&self, epoch: Epoch, limit: u64) -> bool {
        self.epoch == epoch && self.limit == limit
    }

    pub(crate) fn is_of_epoch(&self, epoch: Epoch) -> bool {
        self.epoch == epoch
    }

    /// Returns whether a call that was admitted with this word is counted here.
    pub(crate) fn holds(&self, word: Word) -> bool {
        word.epoch() == self.epoch && word.turn() == self.turn
    }

    /// Counts a call, and returns the instant to pass to [`leave`](Self::leave), or [`None`] if its bucket is full with a
    /// million calls.
    ///
    /// The instant differs from `now` only if the clock has stepped back, or the thread was preempted, for longer than
    /// the limit: the slot then belongs to a later bucket, in which the call is counted.
    pub(crate) fn enter(&self, now: Tick) -> Option<Tick> {
        let bucket = now.0 / self.width;
        let place = self.place(bucket);
        loop {
            let word = place.load(Ordering::Relaxed);
            let slot = Slot::of(word);
            let ahead = slot.before(bucket);
            let own = ahead == 0 || slot.calls == 0;
            let is_later = !own && ahead >= BUCKETS / 2;
            if (own || is_later) && slot.calls == MOST_CALLS {
                return None;
            }
            let next = match (own, is_later) {
                (true, _) => Slot { bucket: bucket % BUCKETS, calls: slot.calls + 1 },
                (false, true) => Slot { calls: slot.calls + 1, ..slot },
                (false, false) => Slot { bucket: bucket % BUCKETS, calls: 1 },
            };
            // Relaxed here and below: the modification order of a single word counts each call exactly once, and the
            // words publish no other data.
            if place.compare_exchange_weak(word, next.word(), Ordering::Relaxed, Ordering::Relaxed).is_err() {
                continue;
            }
            if is_later {
                let later = bucket + (BUCKETS - ahead);
                return Some(Tick(later.saturating_mul(self.width)));
            }
            if !own {
                self.overdue.fetch_add(slot.calls, Ordering::Relaxed);
            }
            return Some(now);
        }
    }

    /// Subtracts a call that was counted at `entered`.
    pub(crate) fn leave(&self, entered: Tick) {
        let bucket = entered.0 / self.width;
        let place = self.place(bucket);
        loop {
            let word = place.load(Ordering::Relaxed);
            let slot = Slot::of(word);
            if slot.before(bucket) != 0 || slot.calls == 0 {
                self.overdue.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            let next = Slot { calls: slot.calls - 1, ..slot };
            if place.compare_exchange_weak(word, next.word(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    /// Returns the number of calls that have been in flight for the limit or longer. The calls of a bucket are included
    /// when all of them have.
    pub(crate) fn overdue(&self, now: Tick) -> u64 {
        if now.0 >= self.quiet_until.load(Ordering::Relaxed) {
            self.collect_overdue(now);
        }
        match self.overdue.load(Ordering::Relaxed) {
            // Negative.
            early if early > u64::MAX / 2 => 0,
            overdue => overdue,
        }
    }

    #[cold]
    fn collect_overdue(&self, now: Tick) {
        // A call that is admitted from now on is not overdue before this.
        let mut quiet_until = now.0.saturating_add(self.limit);
        for place in &self.slots {
            loop {
                let word = place.load(Ordering::Relaxed);
                let slot = Slot::of(word);
                if slot.calls == 0 {
                    break;
                }
                let due = self.due(slot, now);
                if now.0 < due {
                    quiet_until = quiet_until.min(due);
                    break;
                }
                let emptied = Slot { calls: 0, ..slot };
                if place
                    .compare_exchange_weak(word, emptied.word(), Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
                {
                    self.overdue.fetch_add(slot.calls, Ordering::Relaxed);
                    break;
                }
            }
        }
        self.quiet_until.store(quiet_until, Ordering::Relaxed);
    }

    /// Returns the instant at which the last call of a bucket is overdue.
    fn due(&self, slot: Slot, now: Tick) -> u64 {
        let bucket = now.0 / self.width;
        let ahead = slot.before(bucket);
        let full = if ahead < BUCKETS / 2 {
            bucket.saturating_sub(ahead)
        } else {
            bucket.saturating_add(BUCKETS - ahead)
        };
        full.saturating_add(1).saturating_mul(self.width).saturating_add(self.limit)
    }

    fn place(&self, bucket: u64) -> &AtomicU64 {
        &self.slots[(bucket % SLOTS) as usize]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const LIMIT: u64 = 8_000_000;
    const WIDTH: u64 = LIMIT / 8;

    fn ring() -> InFlight {
        InFlight::new(Epoch::FIRST, 1, LIMIT)
    }

    #[test]
    fn a_bucket_is_overdue_when_its_last_call_is() {
        let ring = ring();
        for now in [5 * WIDTH, 6 * WIDTH - 1] {
            assert_eq!(ring.enter(Tick(now)), Some(Tick(now)));
        }
        assert_eq!(ring.overdue(Tick(6 * WIDTH + LIMIT - 1)), 0);
        assert_eq!(ring.overdue(Tick(6 * WIDTH + LIMIT)), 2);
    }

    #[test]
    fn a_call_that_ends_is_not_overdue_any_more() {
        let ring = ring();
        ring.enter(Tick(0));
        ring.enter(Tick(WIDTH));
        ring.leave(Tick(0));
        assert_eq!(ring.overdue(Tick(10 * LIMIT)), 1);
        ring.leave(Tick(WIDTH));
        assert_eq!(ring.overdue(Tick(20 * LIMIT)), 0);
    }

    #[test]
    fn overdue_calls_stay_so_while_slots_are_used_again() {
        let ring = ring();
        for bucket in 0..100 {
            ring.enter(Tick(bucket * WIDTH));
        }
        let now = Tick(99 * WIDTH);
        assert_eq!(ring.overdue(now), 91, "the calls of buckets 0 to 90");
        for bucket in 0..100 {
            ring.leave(Tick(bucket * WIDTH));
        }
        assert_eq!(ring.overdue(Tick(200 * WIDTH)), 0);
    }

    #[test]
    fn an_idle_ring_is_examined_once_per_limit() {
        let ring = ring();
        assert_eq!(ring.overdue(Tick(0)), 0);
        assert_eq!(ring.quiet_until.load(Ordering::Relaxed), LIMIT);
        ring.enter(Tick(3));
        assert_eq!(ring.overdue(Tick(LIMIT)), 0);
        assert_eq!(ring.quiet_until.load(Ordering::Relaxed), WIDTH + LIMIT, "when the call is due");
    }

    #[test]
    fn a_clock_that_steps_back_loses_no_call() {
        let ring = ring();
        let late = Tick(40 * WIDTH);
        ring.enter(late);
        let early = ring.enter(Tick(24 * WIDTH)).unwrap();
        assert_eq!(early, late, "counted in the bucket of the slot");
        assert_eq!(ring.overdue(Tick(41 * WIDTH + LIMIT)), 2);
        ring.leave(early);
        ring.leave(late);
        assert_eq!(ring.overdue(Tick(41 * WIDTH + LIMIT)), 0);
    }

    #[test]
    fn a_full_bucket_takes_no_more() {
        let ring = ring();
        ring.slots[0].store(Slot { bucket: 0, calls: MOST_CALLS }.word(), Ordering::Relaxed);
        assert_eq!(ring.enter(Tick(1)), None);
        assert!(ring.enter(Tick(WIDTH)).is_some());
    }

    #[test]
    fn the_shortest_and_the_longest_limit_hold() {
        let short = InFlight::new(Epoch::FIRST, 1, 1);
        short.enter(Tick(0));
        assert_eq!((short.overdue(Tick(1_000)), short.overdue(Tick(1_001))), (0, 1));
        let long = InFlight::new(Epoch::FIRST, 1, u64::MAX);
        long.enter(Tick(0));
        assert_eq!(long.overdue(Tick(u64::MAX - 1)), 0);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;

    use super::*;

    /// A call that ends while its bucket becomes overdue: it is no longer counted, in either order.
    ///
    /// Fails if `leave` loads and stores the slot separately, or if a bucket is emptied by a store.
    #[test]
    fn a_call_leaves_once() {
        loom::model(|| {
            let ring = Arc::new(InFlight::new(Epoch::FIRST, 1, 1_000));
            ring.enter(Tick(0)).unwrap();
            ring.enter(Tick(0)).unwrap();
            let other = Arc::clone(&ring);
            let leaving = loom::thread::spawn(move || other.leave(Tick(0)));
            let seen = ring.overdue(Tick(2_000));
            leaving.join().unwrap();
            assert!(seen <= 2, "{seen}");
            assert_eq!(ring.overdue(Tick(10_000)), 1);
        });
    }

    /// A call that is counted in a slot with overdue calls, while another thread empties it: no call is lost.
    ///
    /// Fails if `enter` does not add the calls of the earlier bucket to the overdue ones.
    #[test]
    fn a_slot_that_is_used_again_keeps_its_calls() {
        loom::model(|| {
            let ring = Arc::new(InFlight::new(Epoch::FIRST, 1, 1_000));
            ring.enter(Tick(0)).unwrap();
            let other = Arc::clone(&ring);
            let entering = loom::thread::spawn(move || other.enter(Tick(2_000)).unwrap());
            ring.overdue(Tick(2_000));
            let entered = entering.join().unwrap();
            assert_eq!(ring.overdue(Tick(3_999)), 1, "the first alone");
            assert_eq!(ring.overdue(Tick(4_000)), 2);
            ring.leave(Tick(0));
            ring.leave(entered);
            assert_eq!(ring.overdue(Tick(4_000)), 0);
        });
    }
}
