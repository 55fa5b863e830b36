//! The calls of a closed adaptive breaker, which are admitted and ended without a lock.

mod pending;
mod schedule;
mod slot;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
use std::sync::OnceLock;

pub(crate) use pending::Pending;
pub(crate) use schedule::Schedule;

use self::pending::EPOCHS;
use self::slot::{Slot, VERSION_MASK};
use super::belief::Seconds;
use crate::clock::{Clock, LONGEST_LAG, Tick};
#[cfg(not(loom))]
use crate::stripes::Stripes;
use crate::sync::{AtomicU64, Ordering};

/// What the calls of a closed visit share: the calls in flight by the time of their admission, and the outcomes that
/// found the evidence locked.
///
/// A call is counted in the bucket that is current when it is admitted, and subtracted where it is counted. The thread
/// that holds the transition lock begins buckets, judges overdue ones and reads the rest, by a [`Schedule`].
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
    /// A success that took less by lagging readings is certainly not too late; zero where none suffices.
    surely_below: AtomicU64,
    /// Calls that were admitted before this instant have been judged.
    judged_until: AtomicU64,
    /// Outcomes that found the evidence locked; see [`Pending`].
    pending: AtomicU64,
    /// Calls that an open breaker has rejected because the evidence was locked.
    missed: AtomicU64,
    /// When the bucket of each slot began, with its version in the lowest eight bits.
    begins: [AtomicU64; SLOTS],
    first: Stripe,
    #[cfg(not(loom))]
    more: OnceLock<Box<Stripes<Stripe>>>,
}

/// The slots of the threads that share a stripe.
#[derive(Debug)]
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
/// Set in the instant of an admission that was read from a lagging clock.
const LAGGING: u64 = 16;
const INSTANT_MASK: u64 = !(SLOT_MASK | LAGGING);

/// The time between two successes whose latency is learned, once it is known.
pub(super) const BETWEEN_SAMPLES: Seconds = BETWEEN_SAMPLES_NANOS as Seconds / 1e9;
const BETWEEN_SAMPLES_NANOS: u64 = 50_000_000;

/// The shortest limit of a call that lagging readings may time.
const COARSE: u64 = 4 * LONGEST_LAG;

/// No success is learned later than this after the last one, by a reading that may lag.
const FURTHEST_AHEAD: u64 = BETWEEN_SAMPLES_NANOS + LONGEST_LAG;

/// Where a call is counted, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// [`Place::NOWHERE`] if the call is not counted, because its bucket was full with a million calls in flight.
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

    /// The instant of the admission, to 32 nanoseconds.
    pub(crate) fn started(self) -> Tick {
        Tick(self.entered.0 & INSTANT_MASK)
    }

    /// Whether the instant is precise, so that the duration of the call may be learned.
    pub(crate) fn is_precise(self) -> bool {
        self.entered.0 & LAGGING == 0
    }
}

/// The instant of an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Precise(Tick),
    /// Up to [`LONGEST_LAG`] behind.
    Lagging(Tick),
}

impl Reading {
    fn instant(self) -> u64 {
        match self {
            Reading::Precise(tick) | Reading::Lagging(tick) => tick.0,
        }
    }

    /// The instant for a [`Place`] in this slot of a bucket that began at `begin`.
    // The bucket began later if another thread has begun it since this one read the clock, if the clock lags, or if
    // it has stepped back and no bucket has begun since.
    fn entered(self, begin: u64, slot: u64) -> Tick {
        let now = self.instant();
        let lagging = match self {
            // Far behind, the duration from the begin of the bucket is nothing to learn from.
            Reading::Precise(_) if now.saturating_add(LONGEST_LAG) >= begin => 0,
            Reading::Precise(_) | Reading::Lagging(_) => LAGGING,
        };
        Tick(now.max(begin) & INSTANT_MASK | lagging | slot)
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
            surely_below: AtomicU64::new(0),
            judged_until: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            begins: std::array::from_fn(|_| AtomicU64::new(0)),
            first: Stripe::new(),
            #[cfg(not(loom))]
            more: OnceLock::new(),
        }
    }

    // ---- calls, without the lock ----------------------------------------------------------------

    /// Returns whether a bucket is over at `now`, or calls are overdue.
    #[inline]
    pub(crate) fn is_at_edge(&self, now: Tick) -> bool {
        // Relaxed, as are the two below: a value that is out of date is one lock more, or one a moment later.
        now.0 >= self.edge.load(Ordering::Relaxed)
    }

    /// Returns whether a success at `now` is to be learned.
    #[inline]
    pub(crate) fn learns(&self, now: Tick) -> bool {
        // One comparison for both: the instant is reached, or so far ahead that the clock has stepped back.
        let ahead = self.learn_at.load(Ordering::Relaxed).wrapping_sub(now.0);
        ahead.wrapping_sub(1) >= FURTHEST_AHEAD
    }

    /// Returns whether the clock has stepped back behind the last reading.
    #[inline]
    fn has_stepped_back(&self, now: Tick) -> bool {
        self.learn_at.load(Ordering::Relaxed).saturating_sub(now.0) > FURTHEST_AHEAD
    }

    /// Returns whether an admission at this precise instant must take the lock first.
    #[inline]
    pub(crate) fn is_to_be_tended(&self, now: Tick) -> bool {
        self.is_at_edge(now) || self.has_stepped_back(now)
    }

    /// Lets the next holder of the lock learn and read the calls, if the clock has stepped back: it may know a later instant
    /// than the clock, at which nothing is due.
    pub(crate) fn note_step_back(&self, now: Tick) {
        if self.has_stepped_back(now) {
            self.learn_at.store(0, Ordering::Relaxed);
        }
    }

    /// Returns whether an answer that took so many nanoseconds is too late.
    #[inline]
    pub(crate) fn is_late(&self, took: u64) -> bool {
        took > self.slow_after.load(Ordering::Relaxed)
    }

    /// Returns a lagging reading of the clock, if it suffices to admit a call without the lock whose latency is not to be
    /// learned.
    #[inline]
    pub(crate) fn lagging_admission(&self, clock: &Clock) -> Option<Reading> {
        if self.surely_below.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let now = clock.lagging()?;
        let passes = !self.is_at_edge(now) && !self.learns(now);
        passes.then_some(Reading::Lagging(now))
    }

    /// Returns whether a success that ends at `now`, by a lagging reading, is certainly not too late and need not be
    /// learned.
    #[inline]
    pub(crate) fn is_surely_good(&self, place: Place, now: Tick) -> bool {
        now.since(place.started()) < self.surely_below.load(Ordering::Relaxed)
            && !self.is_at_edge(now)
            && !(place.is_precise() && self.learns(now))
    }

    /// Counts a call that is admitted at `now`.
    #[inline]
    pub(crate) fn enter(&self, now: Reading) -> Place {
        let (mut stripe, mut slots) = self.local();
        for _ in 0..ATTEMPTS {
            // Acquire, with the store in `Schedule::advance`: the slot is seen empty.
            let slot = self.current.load(Ordering::Acquire) as usize % SLOTS;
            // Acquire, with the swap in `reset`: the begin is loaded that was stored before this version.
            let word = slots.0[slot].load(Ordering::Acquire);
            let begin = self.begins[slot].load(Ordering::Relaxed);
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
                self.ask_for_a_reading(next);
                return Place { stripe, entered: now.entered(begin, slot as u64) };
            }
            (stripe, slots) = self.contended_slow();
        }
        Place { stripe: Place::NOWHERE, entered: now.entered(0, 0) }
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
                // A bucket without its own call has been judged, even if the call was admitted after its end, because
                // another thread held the lock. Relaxed: stored before the write by which the slot was found without
                // this call.
                let judged = is_own || started.0 < self.judged_until.load(Ordering::Relaxed);
                return if judged { Left::Judged } else { Left::Gone };
            };
            let exchanged =
                slots.0[slot].compare_exchange(word, next.word(), Ordering::AcqRel, Ordering::Relaxed);
            if exchanged.is_ok() {
                self.ask_for_a_reading(next);
                return Left::Counted;
            }
        }
    }

    /// Lets the next success take the lock, as if it was to be learned, if the slot has counted many calls.
    // Not once and for all: a holder that is about to publish the next instant overwrites it, and the next call asks
    // again.
    #[inline]
    fn ask_for_a_reading(&self, slot: Slot) {
        if slot.has_many() {
            self.learn_at.store(0, Ordering::Relaxed);
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
                let (index, stripe) = more.local_with_index();
                (index as u8 + 1, stripe)
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
        self.more.get_or_init(|| Box::new(Stripes::with(MOST_STRIPES, || Stripe::beside(&self.begins))));
        self.local()
    }

    #[cfg(not(loom))]
    #[inline]
    fn stripe(&self, index: u8) -> Option<&Stripe> {
        match index {
            0 => Some(&self.first),
            index => self.more.get()?.get(usize::from(index) - 1),
        }
    }

    #[cfg(loom)]
    fn stripe(&self, index: u8) -> Option<&Stripe> {
        (index == 0).then_some(&self.first)
    }

    #[cfg(not(loom))]
    fn stripes(&self) -> impl Iterator<Item = &Stripe> {
        std::iter::once(&self.first).chain(self.more.get().into_iter().flat_map(|more| more.iter()))
    }

    #[cfg(loom)]
    fn stripes(&self) -> impl Iterator<Item = &Stripe> {
        std::iter::once(&self.first)
    }

    /// The calls in flight.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> u64 {
        (0..SLOTS).map(|slot| self.sum(slot, |slot| slot.in_flight)).sum()
    }

    // ---- under the lock -------------------------------------------------------------------------

    /// Takes the outcomes of this epoch that wait for the holder of the lock.
    pub(crate) fn take_pending(&self, epoch: u64) -> Pending {
        // One that this load misses is found by `has_pending`, for which the holder looks after it has released the lock.
        if self.pending.load(Ordering::Relaxed) == 0 {
            return Pending::default();
        }
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

    /// Publishes the slow limit, and the time after which calls in flight are overdue.
    pub(crate) fn set_limits(&self, slow: Option<Seconds>, overdue: Option<Seconds>) {
        let [slow, overdue] = [slow, overdue].map(|limit| limit.map_or(u64::MAX, nanos));
        self.slow_after.store(slow, Ordering::Relaxed);
        // Both ends of a call are read too early by no more than the lag: it took less than this and the lag.
        let surely = if slow.min(overdue) < COARSE { 0 } else { slow - LONGEST_LAG };
        self.surely_below.store(surely, Ordering::Relaxed);
    }

    pub(crate) fn learn_from(&self, at: Seconds) {
        self.learn_at.store(nanos(at), Ordering::Relaxed);
    }

    /// Empties a slot for a bucket that begins at `begin`, and passes on what each stripe held.
    fn reset(&self, slot: usize, begin: u64, mut held: impl FnMut(Slot)) {
        let version = (self.begins[slot].load(Ordering::Relaxed) + 1) & VERSION_MASK;
        // Before the slots are emptied: a thread that finds one empty sees when its bucket began.
        self.begins[slot].store(begin & !VERSION_MASK | version, Ordering::Relaxed);
        for stripe in self.stripes() {
            let word = stripe.0[slot].swap(Slot::empty(version).word(), Ordering::AcqRel);
            held(Slot::of(word));
        }
    }

    /// Takes what each stripe of a slot has counted since the last time.
    fn take_news(&self, slot: usize, mut news: impl FnMut(Slot)) {
        for stripe in self.stripes() {
            // Relaxed: news that this load misses is read the next time.
            if !Slot::of(stripe.0[slot].load(Ordering::Relaxed)).has_news() {
                continue;
            }
            let read = |word| Some(Slot::of(word).as_read().word());
            let taken = stripe.0[slot].fetch_update(Ordering::AcqRel, Ordering::Relaxed, read);
            if let Ok(word) = taken {
                news(Slot::of(word));
            }
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

fn nanos(time: Seconds) -> u64 {
    // Saturating: a float that is too large becomes the largest number.
    (time * 1e9).round() as u64
}

fn seconds(nanos: u64) -> Seconds {
    nanos as f64 / 1e9
}
