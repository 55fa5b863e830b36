use crate::clock::Tick;
use crate::sync::{AtomicU64, Ordering};
use crate::word::Word;

/// The calls in flight of one visit, by when they were admitted, and how many of them are overdue (S32).
///
/// ```text
///   slot: │ bucket (44 bits)                           │ calls (20 bits) │
/// ```
///
/// Calls are filed by buckets of an eighth of the limit. A bucket whose calls have all been out for the limit is
/// emptied into the number of the overdue ones, before its slot is needed again. A call leaves the place that holds
/// it: its slot, or, if that has been emptied, the number of the overdue ones.
#[derive(Debug)]
pub(crate) struct InFlight {
    epoch: u64,
    turn: u8,
    /// A call is overdue when it has been out for so many nanoseconds.
    limit: u64,
    width: u64,
    slots: [AtomicU64; SLOTS as usize],
    /// In two's complement: a call may leave before the rest of its bucket has arrived.
    overdue: AtomicU64,
    /// No bucket is overdue before this moment.
    quiet_until: AtomicU64,
}

// A bucket is overdue when its last call is, so that its slot is free for the bucket `SLOTS` later.
#[cfg(not(loom))]
const SLOTS: u64 = 16;
#[cfg(not(loom))]
const BUCKETS_PER_LIMIT: u64 = 8;
// Fewer, because each is one more word that the models look at.
#[cfg(loom)]
const SLOTS: u64 = 2;
#[cfg(loom)]
const BUCKETS_PER_LIMIT: u64 = 1;

/// So that the number of a bucket comes back no sooner than after half a year.
const SHORTEST_BUCKET: u64 = 1_000;

const CALLS_BITS: u32 = 20;
const MOST_CALLS: u64 = (1 << CALLS_BITS) - 1;
const BUCKETS: u64 = 1 << (64 - CALLS_BITS);

/// A slot's bucket, and its calls.
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

    /// How many buckets this one is before that: modulo their number, so a later one is a great many before.
    fn before(self, bucket: u64) -> u64 {
        bucket.wrapping_sub(self.bucket) % BUCKETS
    }
}

impl InFlight {
    /// For the calls of one epoch; `turn` tells rings of the same epoch apart.
    pub(crate) fn new(epoch: u64, turn: u8, limit: u64) -> InFlight {
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

    /// Whether calls of this epoch and limit are filed here.
    pub(crate) fn is_for(&self, epoch: u64, limit: u64) -> bool {
        self.epoch == epoch && self.limit == limit
    }

    pub(crate) fn is_of_epoch(&self, epoch: u64) -> bool {
        self.epoch == epoch
    }

    /// Whether a call that was admitted with this word is filed here.
    pub(crate) fn holds(&self, word: Word) -> bool {
        word.epoch() == self.epoch && word.turn() == self.turn
    }

    /// Files a call; returns the moment by which it leaves, or [`None`] if a million others of its moment are in flight.
    ///
    /// The moment is another than `now` only where the clock has stepped back, or the thread was stopped, for as long
    /// as the limit: then it is that of the bucket which has the slot by now.
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
            // Relaxed here and below: each call is counted by the order of the changes of one word, and nothing else
            // is read by it.
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

    /// Takes a call out that was filed at `entered`.
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

    /// How many calls have been in flight for the limit or longer: counted as soon as all calls of their bucket have.
    pub(crate) fn overdue(&self, now: Tick) -> u64 {
        if now.0 >= self.quiet_until.load(Ordering::Relaxed) {
            self.collect_overdue(now);
        }
        match self.overdue.load(Ordering::Relaxed) {
            // Less than none.
            early if early > u64::MAX / 2 => 0,
            overdue => overdue,
        }
    }

    #[cold]
    fn collect_overdue(&self, now: Tick) {
        // A call that enters from here on is due no sooner.
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

    /// When the last call of a bucket is overdue.
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
        InFlight::new(1, 1, LIMIT)
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
        assert_eq!(ring.overdue(now), 91, "those of buckets 0 to 90");
        for bucket in 0..100 {
            ring.leave(Tick(bucket * WIDTH));
        }
        assert_eq!(ring.overdue(Tick(200 * WIDTH)), 0);
    }

    #[test]
    fn an_idle_ring_is_looked_through_once_in_a_limit() {
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
        assert_eq!(early, late, "filed where the slot stands");
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
        let short = InFlight::new(1, 1, 1);
        short.enter(Tick(0));
        assert_eq!((short.overdue(Tick(1_000)), short.overdue(Tick(1_001))), (0, 1));
        let long = InFlight::new(1, 1, u64::MAX);
        long.enter(Tick(0));
        assert_eq!(long.overdue(Tick(u64::MAX - 1)), 0);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;

    use super::*;

    /// A call that ends while its bucket is found to be overdue: it is not overdue any more, whoever is first.
    ///
    /// Fails if `leave` reads the slot and writes it in two steps, or if a bucket is emptied by a store.
    #[test]
    fn a_call_leaves_once() {
        loom::model(|| {
            let ring = Arc::new(InFlight::new(1, 1, 1_000));
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

    /// A call that enters a slot whose calls are overdue, while another thread empties it: none is lost.
    ///
    /// Fails if `enter` does not pass the calls on that it finds in its slot.
    #[test]
    fn a_slot_that_is_used_again_keeps_its_calls() {
        loom::model(|| {
            let ring = Arc::new(InFlight::new(1, 1, 1_000));
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
