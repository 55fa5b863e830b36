//! The calls of a closed adaptive breaker, which are admitted and ended without a lock.

use std::sync::OnceLock;

use super::belief::Seconds;
use super::flight::{Overdue, YOUNGEST};
use crate::clock::Tick;
#[cfg(not(loom))]
use crate::sync::thread_index;
use crate::sync::{AtomicU64, Ordering};

/// What the calls of a closed visit share: the calls in flight by the time of their admission, and the outcomes that
/// found the evidence locked.
///
/// A call is counted in the bucket that is current when it is admitted, and subtracted where it is counted. The thread
/// that holds the transition lock begins buckets, judges overdue ones and reads the rest, by a [`Schedule`].
///
/// ```text
///   slot: │ version (8) │ good (19) │ started (19) │ in flight (18) │
/// ```
#[derive(Debug)]
pub(crate) struct Traffic {
    /// The slot of the current bucket.
    current: AtomicU64,
    /// The instant from which an admission takes the lock first: a bucket is over, or calls are overdue.
    edge: AtomicU64,
    /// The instant from which a success takes the lock, to be learned.
    learn_at: AtomicU64,
    /// The longest time in nanoseconds after which an answer is not too late.
    slow_after: AtomicU64,
    /// Calls that were admitted before this instant have been judged.
    judged_until: AtomicU64,
    /// Outcomes that found the evidence locked; see [`Pending`].
    pending: AtomicU64,
    /// Calls that an open breaker has rejected because the evidence was locked.
    missed: AtomicU64,
    /// When the bucket of each slot began, with its version in the lowest eight bits.
    begins: [AtomicU64; SLOTS],
    first: Stripe,
    more: OnceLock<Box<[Stripe]>>,
}

/// The slots of the threads that share a stripe.
#[derive(Debug)]
#[repr(align(128))]
struct Stripe([AtomicU64; SLOTS]);

#[cfg(not(loom))]
const SLOTS: usize = 16;
// Fewer under loom, because each slot is another atomic that the models explore.
#[cfg(loom)]
const SLOTS: usize = 2;

/// The stripes beside the first one.
#[cfg(not(loom))]
const MOST_STRIPES: usize = 8;

/// A call that races with so many others for a slot is not counted.
#[cfg(not(loom))]
const ATTEMPTS: usize = 100;
#[cfg(loom)]
const ATTEMPTS: usize = 3;

/// A call is counted with an instant whose lowest bits are those of its slot.
const SLOT_MASK: u64 = 15;

const IN_FLIGHT_BITS: u32 = 18;
const COUNT_BITS: u32 = 19;
const STARTED_SHIFT: u32 = IN_FLIGHT_BITS;
const GOOD_SHIFT: u32 = STARTED_SHIFT + COUNT_BITS;
const VERSION_SHIFT: u32 = GOOD_SHIFT + COUNT_BITS;
const VERSION_MASK: u64 = 0xff;
const MOST_IN_FLIGHT: u64 = (1 << IN_FLIGHT_BITS) - 1;
const MOST_STARTED: u64 = (1 << COUNT_BITS) - 1;

/// The contents of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    version: u64,
    good: u64,
    started: u64,
    in_flight: u64,
}

impl Slot {
    fn of(word: u64) -> Slot {
        Slot {
            version: word >> VERSION_SHIFT,
            good: word >> GOOD_SHIFT & MOST_STARTED,
            started: word >> STARTED_SHIFT & MOST_STARTED,
            in_flight: word & MOST_IN_FLIGHT,
        }
    }

    fn word(self) -> u64 {
        self.version << VERSION_SHIFT
            | self.good << GOOD_SHIFT
            | self.started << STARTED_SHIFT
            | self.in_flight
    }

    fn entered(self) -> Option<Slot> {
        let has_room = self.in_flight < MOST_IN_FLIGHT && self.started < MOST_STARTED;
        has_room.then(|| Slot { started: self.started + 1, in_flight: self.in_flight + 1, ..self })
    }

    fn left(self, good: bool) -> Option<Slot> {
        let in_flight = self.in_flight.checked_sub(1)?;
        Some(Slot { in_flight, good: self.good + u64::from(good), ..self })
    }

    /// Empty, for a new bucket: a thread that has loaded the slot before cannot write it any more.
    fn empty(version: u64) -> Slot {
        Slot { version, good: 0, started: 0, in_flight: 0 }
    }

    /// Whether a bucket that began then is the one of this slot.
    fn is_of(self, begin: u64) -> bool {
        self.version == begin & VERSION_MASK
    }
}

/// Where a call is counted, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// [`Place::NOWHERE`] if the call is not counted, because its bucket was full.
    pub(crate) stripe: u8,
    /// The instant of the admission, with the slot in its lowest four bits.
    pub(crate) entered: Tick,
}

impl Place {
    /// The stripe of a call that is not counted.
    const NOWHERE: u8 = 15;

    fn slot(self) -> usize {
        (self.entered.0 & SLOT_MASK) as usize
    }

    /// The instant of the admission, to 16 nanoseconds.
    pub(crate) fn started(self) -> Tick {
        Tick(self.entered.0 & !SLOT_MASK)
    }
}

/// What became of a call before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It was in flight.
    Counted,
    /// It was overdue, and has been judged.
    Judged,
    /// Its bucket has been given up, or its visit has ended.
    Gone,
}

/// Outcomes that found the evidence locked: of one visit, for the thread that holds the lock.
///
/// ```text
///   │ epoch (28) │ bad (12) │ slow ones of them (12) │ good (12) │
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    epoch: u64,
    pub(crate) bad: u64,
    pub(crate) slow: u64,
    pub(crate) good: u64,
}

const PENDING_BITS: u32 = 12;
const MOST_PENDING: u64 = (1 << PENDING_BITS) - 1;
const EPOCHS: u64 = 1 << 28;

impl Pending {
    fn of(word: u64) -> Pending {
        Pending {
            epoch: word >> (3 * PENDING_BITS),
            bad: word >> (2 * PENDING_BITS) & MOST_PENDING,
            slow: word >> PENDING_BITS & MOST_PENDING,
            good: word & MOST_PENDING,
        }
    }

    fn word(self) -> u64 {
        self.epoch << (3 * PENDING_BITS)
            | self.bad << (2 * PENDING_BITS)
            | self.slow << PENDING_BITS
            | self.good
    }

    pub(crate) fn is_empty(self) -> bool {
        self.bad == 0 && self.good == 0
    }

    /// With one more outcome of this epoch; [`None`] if a later visit has begun, in which it is late.
    fn with(self, epoch: u64, good: bool, slow: bool) -> Option<Pending> {
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

impl Stripe {
    fn new() -> Stripe {
        Stripe(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// With the versions of these buckets. A slot that is emptied at the same moment may miss it: until it is emptied
    /// again, its calls are counted in the first stripe.
    #[cfg(not(loom))]
    fn beside(begins: &[AtomicU64; SLOTS]) -> Stripe {
        let version = |slot: usize| begins[slot].load(Ordering::Relaxed) & VERSION_MASK;
        Stripe(std::array::from_fn(|slot| AtomicU64::new(Slot::empty(version(slot)).word())))
    }
}

impl Traffic {
    pub(crate) fn new() -> Traffic {
        Traffic {
            current: AtomicU64::new(0),
            edge: AtomicU64::new(0),
            learn_at: AtomicU64::new(0),
            slow_after: AtomicU64::new(u64::MAX),
            judged_until: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            begins: std::array::from_fn(|_| AtomicU64::new(0)),
            first: Stripe::new(),
            more: OnceLock::new(),
        }
    }

    // ---- calls, without the lock ----------------------------------------------------------------

    /// Returns whether an admission at `now` must take the lock first.
    #[inline]
    pub(crate) fn is_at_edge(&self, now: Tick) -> bool {
        // Relaxed, as are the two below: a value that is out of date is one lock more, or one a moment later.
        now.0 >= self.edge.load(Ordering::Relaxed)
    }

    /// Returns whether a success at `now` is to be learned.
    #[inline]
    pub(crate) fn learns(&self, now: Tick) -> bool {
        now.0 >= self.learn_at.load(Ordering::Relaxed)
    }

    /// Returns whether an answer that took so many nanoseconds is too late.
    #[inline]
    pub(crate) fn is_late(&self, took: u64) -> bool {
        took > self.slow_after.load(Ordering::Relaxed)
    }

    /// Counts a call that is admitted at `now`.
    #[inline]
    pub(crate) fn enter(&self, now: Tick) -> Place {
        let (mut stripe, mut slots) = self.local();
        for _ in 0..ATTEMPTS {
            // Acquire, with the store in `Schedule::advance`: the slot is seen empty.
            let slot = self.current.load(Ordering::Acquire) as usize % SLOTS;
            // Acquire, with the swap in `reset`: the begin is loaded that was stored before this version.
            let word = slots.0[slot].load(Ordering::Acquire);
            let begin = self.begins[slot].load(Ordering::Relaxed);
            // The bucket began after `now` if another thread has begun it since this one read the clock, or if the
            // clock has stepped back.
            let entered = Tick(now.0.max(begin) & !SLOT_MASK | slot as u64);
            let held = Slot::of(word);
            if !held.is_of(begin) {
                // The slot is being emptied, or has not been since this stripe was created.
                (stripe, slots) = (0, &self.first);
                continue;
            }
            let Some(next) = held.entered() else { break };
            let exchanged =
                slots.0[slot].compare_exchange(word, next.word(), Ordering::AcqRel, Ordering::Relaxed);
            if exchanged.is_ok() {
                return Place { stripe, entered };
            }
            (stripe, slots) = self.contended_slow();
        }
        Place { stripe: Place::NOWHERE, entered: Tick(now.0 & !SLOT_MASK) }
    }

    /// Subtracts a call that was counted.
    #[inline]
    pub(crate) fn leave(&self, place: Place, good: bool) -> Left {
        let Some(slots) = self.stripe(place.stripe) else { return Left::Gone };
        let (slot, started) = (place.slot() % SLOTS, place.started());
        loop {
            // Acquire, as in `enter`.
            let word = slots.0[slot].load(Ordering::Acquire);
            let begin = self.begins[slot].load(Ordering::Relaxed);
            let held = Slot::of(word);
            let is_own = held.is_of(begin) && begin & !VERSION_MASK <= started.0;
            let Some(next) = held.left(good).filter(|_| is_own) else {
                // Relaxed: stored before the write by which the slot was found without this call.
                let judged = started.0 < self.judged_until.load(Ordering::Relaxed);
                return if judged { Left::Judged } else { Left::Gone };
            };
            let exchanged =
                slots.0[slot].compare_exchange(word, next.word(), Ordering::AcqRel, Ordering::Relaxed);
            if exchanged.is_ok() {
                return Left::Counted;
            }
        }
    }

    /// Leaves an outcome of this epoch to the thread that holds the lock.
    pub(crate) fn leave_to_holder(&self, epoch: u64, good: bool, slow: bool) {
        // Acquire and release, as is the read in `take_pending`: a holder whose read precedes this write has released
        // the lock before, so that the caller's next attempt to take it finds it free or held by another thread.
        let _ = self.pending.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
            Pending::of(word).with(epoch, good, slow).map(Pending::word)
        });
    }

    /// Counts a call that an open breaker rejects because the evidence is locked.
    pub(crate) fn miss(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether outcomes wait for a thread that takes the lock, after this one has released it.
    pub(crate) fn has_pending(&self) -> bool {
        // A write, not a load: see `leave_to_holder`.
        !Pending::of(self.pending.fetch_add(0, Ordering::AcqRel)).is_empty()
    }

    // Not under loom, whose models race for one stripe.
    #[cfg(not(loom))]
    #[inline]
    fn local(&self) -> (u8, &Stripe) {
        match self.more.get() {
            None => (0, &self.first),
            Some(more) => {
                let index = thread_index() & (more.len() - 1);
                (index as u8 + 1, &more[index])
            }
        }
    }

    #[cfg(loom)]
    fn local(&self) -> (u8, &Stripe) {
        (0, &self.first)
    }

    /// Gives threads stripes of their own from now on.
    #[cold]
    #[inline(never)]
    fn contended_slow(&self) -> (u8, &Stripe) {
        #[cfg(not(loom))]
        self.more.get_or_init(|| {
            let cpus = std::thread::available_parallelism().map_or(2, usize::from);
            let count = cpus.next_power_of_two().clamp(2, MOST_STRIPES);
            (0..count).map(|_| Stripe::beside(&self.begins)).collect()
        });
        self.local()
    }

    fn stripe(&self, index: u8) -> Option<&Stripe> {
        match index {
            0 => Some(&self.first),
            index => self.more.get()?.get(usize::from(index) - 1),
        }
    }

    fn stripes(&self) -> impl Iterator<Item = &Stripe> {
        std::iter::once(&self.first).chain(self.more.get().into_iter().flat_map(|more| more.iter()))
    }

    // ---- under the lock -------------------------------------------------------------------------

    /// Takes the outcomes of this epoch that wait for the holder of the lock.
    pub(crate) fn take_pending(&self, epoch: u64) -> Pending {
        let pending = Pending::of(self.pending.swap(0, Ordering::AcqRel));
        if pending.epoch == epoch % EPOCHS { pending } else { Pending::default() }
    }

    pub(crate) fn take_missed(&self) -> u64 {
        if self.missed.load(Ordering::Relaxed) == 0 { 0 } else { self.missed.swap(0, Ordering::Relaxed) }
    }

    /// Returns whether the calls are to be read: an edge is reached, or a success is to be learned.
    pub(crate) fn is_due(&self, now: Seconds) -> bool {
        self.is_at_edge(Tick(nanos(now))) || self.learns_at(now)
    }

    pub(crate) fn learns_at(&self, now: Seconds) -> bool {
        self.learns(Tick(nanos(now)))
    }

    pub(crate) fn set_slow_limit(&self, limit: Option<Seconds>) {
        self.slow_after.store(limit.map_or(u64::MAX, nanos), Ordering::Relaxed);
    }

    pub(crate) fn learn_from(&self, at: Seconds) {
        self.learn_at.store(nanos(at), Ordering::Relaxed);
    }

    /// Empties a slot for a bucket that begins at `begin`; returns what each stripe held.
    fn reset(&self, slot: usize, begin: u64, mut held: impl FnMut(usize, Slot)) {
        let version = (self.begins[slot].load(Ordering::Relaxed) + 1) & VERSION_MASK;
        // Before the slots are emptied: a thread that finds one empty sees when its bucket began.
        self.begins[slot].store(begin & !VERSION_MASK | version, Ordering::Relaxed);
        for (index, stripe) in self.stripes().enumerate() {
            let word = stripe.0[slot].swap(Slot::empty(version).word(), Ordering::AcqRel);
            held(index, Slot::of(word));
        }
    }

    /// Takes the calls of a slot that are in flight, all of which are overdue.
    fn take_overdue(&self, slot: usize, until: u64) -> u64 {
        // Before the calls are taken: a call that finds itself gone sees that it was judged.
        self.judged_until.store(until, Ordering::Relaxed);
        let take = |stripe: &Stripe| {
            let taken = stripe.0[slot].fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
                Some(Slot { in_flight: 0, ..Slot::of(word) }.word())
            });
            taken.map_or(0, |word| Slot::of(word).in_flight)
        };
        self.stripes().map(take).sum()
    }

    fn sum(&self, slot: usize, part: impl Fn(Slot) -> u64) -> u64 {
        self.stripes().map(|stripe| part(Slot::of(stripe.0[slot].load(Ordering::Relaxed)))).sum()
    }
}

/// The buckets of a [`Traffic`], as the holder of the lock knows them.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    current: usize,
    /// The buckets that are not judged yet, with the current one; zero before the first call of a visit.
    buckets: usize,
    /// When the bucket of each slot ends.
    ends: [u64; SLOTS],
    /// The calls of each slot of each stripe that have been read.
    read: Vec<[Read; SLOTS]>,
    /// The unread calls of slots that were emptied.
    rest: Read,
}

/// The calls of a slot that have been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) started: u64,
    pub(crate) good: u64,
}

impl Schedule {
    pub(crate) fn new() -> Schedule {
        Schedule { current: 0, buckets: 0, ends: [0; SLOTS], read: Vec::new(), rest: Read::default() }
    }

    /// Begins a visit, of which no call is in flight.
    pub(crate) fn begin(&mut self, traffic: &Traffic, now: Seconds) {
        let begin = nanos(now) & !VERSION_MASK;
        traffic.judged_until.store(begin, Ordering::Relaxed);
        for slot in 0..SLOTS {
            traffic.reset(slot, begin, |_, _| ());
        }
        (self.buckets, self.ends[self.current]) = (0, 0);
        self.read.clear();
        self.rest = Read::default();
        traffic.edge.store(0, Ordering::Relaxed);
        traffic.learn_from(0.0);
    }

    /// Begins a bucket if the current one is over.
    pub(crate) fn advance(&mut self, traffic: &Traffic, now: Seconds, width: Seconds) {
        let begin = nanos(now) & !VERSION_MASK;
        if begin < self.ends[self.current] {
            return;
        }
        let next = (self.current + 1) % SLOTS;
        let read = &mut self.read;
        let rest = &mut self.rest;
        traffic.reset(next, begin, |stripe, held| rest.add(held, take(read, stripe, next)));
        self.ends[next] = begin.saturating_add(nanos(width).max(1));
        self.current = next;
        // The oldest bucket is given up if no limit has made its calls overdue.
        self.buckets = (self.buckets + 1).min(SLOTS);
        // Release, with the load in `Traffic::enter`.
        traffic.current.store(next as u64, Ordering::Release);
    }

    /// Returns the calls that have been admitted, and those that have ended well, since the last time.
    pub(crate) fn read(&mut self, traffic: &Traffic) -> Read {
        let mut new = std::mem::take(&mut self.rest);
        for (index, stripe) in traffic.stripes().enumerate() {
            for (slot, word) in stripe.0.iter().enumerate() {
                let held = Slot::of(word.load(Ordering::Relaxed));
                new.add(held, take(&mut self.read, index, slot));
                self.read[index][slot] = Read { started: held.started, good: held.good };
            }
        }
        new
    }

    /// Takes the oldest bucket whose calls are all overdue.
    pub(crate) fn take_overdue(
        &mut self,
        traffic: &Traffic,
        now: Seconds,
        limit: Seconds,
    ) -> Option<Overdue> {
        let oldest = self.oldest()?;
        let until = seconds(self.ends[oldest]);
        if until + limit >= now {
            return None;
        }
        let calls = traffic.take_overdue(oldest, self.ends[oldest]);
        self.buckets -= 1;
        Some(Overdue { calls: u32::try_from(calls).unwrap_or(u32::MAX), until })
    }

    /// The oldest bucket that is over and not judged.
    fn oldest(&self) -> Option<usize> {
        (self.buckets > 1).then(|| (self.current + SLOTS + 1 - self.buckets) % SLOTS)
    }

    /// Publishes the instant from which admissions must take the lock: a bucket is over, or calls are overdue.
    pub(crate) fn set_edge(&self, traffic: &Traffic, limit: Option<Seconds>) {
        let ends = self.ends[self.current];
        let due = self.oldest().zip(limit).map(|(oldest, limit)| {
            let over = self.ends[oldest].saturating_add(nanos(limit)).saturating_add(1);
            if traffic.sum(oldest, |slot| slot.in_flight) > 0 { over } else { ends }
        });
        traffic.edge.store(due.map_or(ends, |due| due.min(ends)), Ordering::Relaxed);
    }

    /// Counts the youngest calls that were admitted after `until` and had the time to end: how many, and how many were
    /// good.
    pub(crate) fn youngest(
        &self,
        traffic: &Traffic,
        now: Seconds,
        until: Seconds,
        ripe_after: Seconds,
    ) -> (u32, u32) {
        let (mut started, mut good) = (0, 0);
        for back in 0..SLOTS {
            let slot = (self.current + SLOTS - back) % SLOTS;
            let begin = seconds(traffic.begins[slot].load(Ordering::Relaxed) & !VERSION_MASK);
            if begin <= until || started >= u64::from(YOUNGEST) {
                break;
            }
            if now - begin > ripe_after {
                started += traffic.sum(slot, |slot| slot.started);
                good += traffic.sum(slot, |slot| slot.good);
            }
        }
        (started as u32, good as u32)
    }
}

/// Takes the calls of a slot that have been read.
fn take(read: &mut Vec<[Read; SLOTS]>, stripe: usize, slot: usize) -> Read {
    if read.len() <= stripe {
        read.resize(stripe + 1, [Read::default(); SLOTS]);
    }
    std::mem::take(&mut read[stripe][slot])
}

impl Read {
    fn add(&mut self, held: Slot, read: Read) {
        self.started += held.started.saturating_sub(read.started);
        self.good += held.good.saturating_sub(read.good);
    }
}

fn nanos(time: Seconds) -> u64 {
    // Saturating: a float that is too large becomes the largest number.
    (time * 1e9).round() as u64
}

fn seconds(nanos: u64) -> Seconds {
    nanos as f64 / 1e9
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const LIMIT: Seconds = 0.8;
    const WIDTH: Seconds = 0.1;

    /// The calls of a visit that began at the start of the clock.
    fn traffic() -> (Traffic, Schedule) {
        let (traffic, mut schedule) = (Traffic::new(), Schedule::new());
        schedule.begin(&traffic, 0.0);
        schedule.advance(&traffic, 0.0, WIDTH);
        (traffic, schedule)
    }

    fn enter(traffic: &Traffic, now: Seconds) -> Place {
        traffic.enter(Tick(nanos(now)))
    }

    #[test]
    fn a_call_is_overdue_when_its_bucket_is() {
        let (traffic, mut schedule) = traffic();
        let (first, second) = (enter(&traffic, 0.01), enter(&traffic, 0.05));
        assert_eq!(traffic.leave(first, true), Left::Counted);
        schedule.advance(&traffic, 0.2, WIDTH);
        assert!(schedule.take_overdue(&traffic, 0.89, LIMIT).is_none(), "the bucket ends at 0.1");
        let overdue = schedule.take_overdue(&traffic, 0.91, LIMIT).map(|overdue| overdue.calls);
        assert_eq!(overdue, Some(1));
        assert_eq!(traffic.leave(second, true), Left::Judged);
        assert!(schedule.take_overdue(&traffic, 10.0, LIMIT).is_none(), "the current bucket is not over");
    }

    #[test]
    fn calls_of_a_reused_slot_are_gone() {
        let (traffic, mut schedule) = traffic();
        let old = enter(&traffic, 0.01);
        for bucket in 1..=SLOTS {
            schedule.advance(&traffic, bucket as f64 * WIDTH, WIDTH);
        }
        let now = SLOTS as f64 * WIDTH + 0.01;
        let new = enter(&traffic, now);
        assert_eq!(old.slot(), new.slot());
        assert_eq!(traffic.leave(old, true), Left::Gone);
        assert_eq!(traffic.leave(new, true), Left::Counted);
    }

    #[test]
    fn each_call_is_read_once() {
        let (traffic, mut schedule) = traffic();
        let mut read = Read::default();
        for call in 0..100_u32 {
            let now = f64::from(call) * 0.03;
            schedule.advance(&traffic, now, WIDTH);
            let place = enter(&traffic, now);
            traffic.leave(place, call % 2 == 0);
            if call % 7 == 0 {
                let new = schedule.read(&traffic);
                (read.started, read.good) = (read.started + new.started, read.good + new.good);
            }
        }
        let new = schedule.read(&traffic);
        assert_eq!((read.started + new.started, read.good + new.good), (100, 50));
        assert_eq!(schedule.read(&traffic), Read::default());
    }

    #[test]
    fn threads_with_stripes_of_their_own_lose_no_call() {
        let (traffic, mut schedule) = traffic();
        const EACH: u64 = if cfg!(miri) { 40 } else { 2_000 };
        let enter_and_leave = || {
            for call in 0..EACH {
                let place = enter(&traffic, 0.01);
                assert_eq!(traffic.leave(place, call % 2 == 0), Left::Counted);
            }
        };
        traffic.contended_slow();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(enter_and_leave);
            }
        });
        assert_eq!(schedule.read(&traffic), Read { started: 4 * EACH, good: 2 * EACH });
        assert_eq!(traffic.sum(schedule.current, |slot| slot.in_flight), 0);
    }

    #[test]
    fn a_full_bucket_counts_no_more_calls() {
        let (traffic, schedule) = traffic();
        let full = Slot {
            started: MOST_STARTED,
            ..Slot::of(traffic.first.0[schedule.current].load(Ordering::Relaxed))
        };
        traffic.first.0[schedule.current].store(full.word(), Ordering::Relaxed);
        let place = enter(&traffic, 0.01);
        assert_eq!(place.stripe, Place::NOWHERE);
        assert_eq!(traffic.leave(place, true), Left::Gone);
    }

    #[test]
    fn a_clock_that_steps_back_counts_from_the_bucket() {
        let (traffic, mut schedule) = traffic();
        schedule.advance(&traffic, 5.0, WIDTH);
        let place = enter(&traffic, 1.0);
        assert!(place.started() >= Tick(nanos(5.0) & !VERSION_MASK), "{place:?}");
        assert_eq!(traffic.leave(place, true), Left::Counted);
    }

    #[test]
    fn outcomes_wait_for_the_holder_of_their_visit() {
        let traffic = Traffic::new();
        for good in [true, false, false] {
            traffic.leave_to_holder(7, good, !good);
        }
        traffic.leave_to_holder(6, true, false);
        assert!(traffic.has_pending());
        let pending = traffic.take_pending(7);
        assert_eq!((pending.good, pending.bad, pending.slow), (1, 2, 2), "one of an earlier visit is late");
        assert!(!traffic.has_pending());
        traffic.leave_to_holder(7, true, false);
        assert_eq!(traffic.take_pending(8), Pending::default(), "the visit is over");
        for _ in 0..10_000 {
            traffic.leave_to_holder(9, false, false);
        }
        assert_eq!(traffic.take_pending(9).bad, MOST_PENDING);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;

    use super::*;

    const WIDTH: Seconds = 1e-6;

    fn traffic() -> (Arc<Traffic>, Schedule) {
        let (traffic, mut schedule) = (Traffic::new(), Schedule::new());
        schedule.begin(&traffic, 0.0);
        schedule.advance(&traffic, 0.0, WIDTH);
        (Arc::new(traffic), schedule)
    }

    /// A call that ends while its bucket is judged: it is judged or it is counted, and knows which.
    ///
    /// Fails if `Traffic::take_overdue` loads and stores the slot separately, or stores `judged_until` after it.
    #[test]
    fn a_call_is_judged_or_counted() {
        loom::model(|| {
            let (traffic, mut schedule) = traffic();
            let place = traffic.enter(Tick(100));
            schedule.advance(&traffic, 2e-6, WIDTH);
            let other = Arc::clone(&traffic);
            let leaving = loom::thread::spawn(move || other.leave(place, true));
            let judged = schedule.take_overdue(&traffic, 1.0, 1e-6).map(|overdue| overdue.calls);
            let left = leaving.join().unwrap();
            let expected = match judged {
                Some(1) => Left::Judged,
                Some(0) => Left::Counted,
                other => panic!("the bucket is overdue, and has one call: {other:?}"),
            };
            assert_eq!(left, expected);
        });
    }

    /// A call that ends while its slot gets another bucket does not leave in the place of a call of that bucket.
    ///
    /// Fails if a slot that is emptied keeps its version, and `leave` does not compare it.
    #[test]
    fn a_call_leaves_in_no_other_bucket() {
        loom::model(|| {
            let (traffic, mut schedule) = traffic();
            let old = traffic.enter(Tick(100));
            schedule.advance(&traffic, 2e-6, WIDTH);
            let other = Arc::clone(&traffic);
            let leaving = loom::thread::spawn(move || other.leave(old, true));
            schedule.advance(&traffic, 4e-6, WIDTH);
            let new = traffic.enter(Tick(4_100));
            assert_eq!(old.slot(), new.slot());
            leaving.join().unwrap();
            assert_eq!(traffic.sum(schedule.current, |slot| slot.in_flight), 1);
            assert_eq!(traffic.leave(new, true), Left::Counted);
        });
    }

    /// A call that is counted while its slot gets another bucket is counted in one of the two, and leaves that one.
    ///
    /// Fails if a slot that is emptied keeps its version, and `enter` does not compare it.
    #[test]
    fn a_call_is_counted_in_one_bucket() {
        loom::model(|| {
            let (traffic, mut schedule) = traffic();
            let other = Arc::clone(&traffic);
            let entering = loom::thread::spawn(move || {
                let place = other.enter(Tick(100));
                other.leave(place, true);
                place.stripe != Place::NOWHERE
            });
            schedule.advance(&traffic, 2e-6, WIDTH);
            schedule.advance(&traffic, 4e-6, WIDTH);
            let new = traffic.enter(Tick(4_100));
            let counted = entering.join().unwrap();
            let in_flight = traffic.sum(schedule.current, |slot| slot.in_flight);
            assert_eq!(in_flight, 1, "the call that has not left");
            assert_eq!(traffic.leave(new, true), Left::Counted);
            let read = schedule.read(&traffic);
            assert_eq!(read.started, 1 + u64::from(counted), "each call is read once");
        });
    }

    /// Outcomes that are left while another thread takes them are neither lost nor taken twice.
    ///
    /// Fails if `leave_to_holder` or `take_pending` loads and stores the word separately.
    #[test]
    fn a_pending_outcome_is_taken_once() {
        loom::model(|| {
            let traffic = Arc::new(Traffic::new());
            let other = Arc::clone(&traffic);
            let leaving = loom::thread::spawn(move || {
                other.leave_to_holder(1, false, false);
                other.leave_to_holder(1, false, true);
            });
            let first = traffic.take_pending(1);
            leaving.join().unwrap();
            let rest = traffic.take_pending(1);
            assert_eq!((first.bad + rest.bad, first.slow + rest.slow), (2, 1));
        });
    }
}
