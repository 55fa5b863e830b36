use std::ops::Deref;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::shadow::Shadows;
use crate::clock::Tick;
use crate::evidence::{InFlight, Traffic};
use crate::observe::Listeners;
use crate::policy::trip::CustomRule;
use crate::reason::Cause;
use crate::sync::{AtomicU64, Ordering, Shared};
use crate::text::is_printable;
use crate::totals::{Ledger, Timing};
use crate::word::{Epoch, Word};

/// Rarely used state, allocated lazily and kept off the cache lines that the fast path reads.
///
/// A breaker that never opens, times no calls and has no listeners never allocates it.
pub(crate) struct Cold {
    pub(crate) timing: Timing,
    pub(crate) ledger: Ledger,
    pub(crate) listeners: OnceLock<Box<Listeners>>,
    pub(crate) custom: Box<[CustomRule]>,
    /// The end of the wait while the breaker is open. Like `wait` and `cause`, it is stored before the state word is
    /// published.
    deadline: AtomicU64,
    /// The length of the whole wait.
    wait: AtomicU64,
    /// Why the breaker opened: the reasons, and the numbers that belong to them.
    cause: [AtomicU64; 2],
    /// The calls in flight of the current visit, if a rule counts them; allocated for the first such visit.
    in_flight: OnceLock<Shared<InFlight>>,
    /// The calls of an adaptive breaker that is closed; set before the first word with evidence is published.
    pub(super) traffic: OnceLock<Arc<Traffic>>,
    /// Allocated for the first text that a classifier returns; most classifiers never return one.
    last_error: OnceLock<RwLock<LastError>>,
    /// Allocated for the first shadow.
    pub(super) shadows: OnceLock<Box<Shadows>>,
}

/// The text of a failure that opened the breaker.
#[derive(Default)]
struct LastError {
    /// The epoch of the opening that the text belongs to.
    epoch: Epoch,
    text: Option<Arc<Box<str>>>,
}

impl Cold {
    pub(crate) fn new(custom: Box<[CustomRule]>) -> Cold {
        Cold {
            timing: Timing::default(),
            ledger: Ledger::default(),
            listeners: OnceLock::new(),
            custom,
            deadline: AtomicU64::new(u64::MAX),
            wait: AtomicU64::new(0),
            cause: [AtomicU64::new(0), AtomicU64::new(0)],
            in_flight: OnceLock::new(),
            traffic: OnceLock::new(),
            last_error: OnceLock::new(),
            shadows: OnceLock::new(),
        }
    }

    /// Returns the ring that counts the calls which were admitted with this word, if it has not been replaced.
    pub(crate) fn in_flight(&self, word: Word) -> Option<impl Deref<Target = Arc<InFlight>> + use<>> {
        let ring = self.in_flight.get()?.load();
        ring.holds(word).then_some(ring)
    }

    /// Provides a ring for the calls of this epoch, and returns its turn. The current ring is kept if its epoch and limit
    /// are the same.
    pub(crate) fn file_in_flight(&self, epoch: Epoch, limit: u64) -> u8 {
        let first = || Shared::new(InFlight::new(epoch, 1, limit));
        let shared = self.in_flight.get_or_init(first);
        let ring = shared.load();
        if ring.is_for(epoch, limit) {
            return ring.turn();
        }
        // A new limit within a visit needs another ring, and a turn that distinguishes its calls from those of the
        // old one: each leaves the ring that it entered, or none. In a new epoch the epoch does that.
        let turn = if ring.is_of_epoch(epoch) { ring.turn() % LAST_TURN + 1 } else { 1 };
        shared.store(Arc::new(InFlight::new(epoch, turn, limit)));
        turn
    }

    /// Returns the list of listeners, allocated on first use.
    pub(crate) fn listeners(&self) -> &Listeners {
        self.listeners.get_or_init(|| Box::new(Listeners::new()))
    }

    /// Returns the shadows, allocated on first use.
    pub(super) fn shadows(&self) -> &Shadows {
        self.shadows.get_or_init(Box::default)
    }

    /// Stores the deadline, the wait and the cause of an opening, for readers that do not take the lock.
    pub(crate) fn set_opening(&self, deadline: Tick, wait: u64, cause: Cause) {
        // Release, paired with the Acquire loads in `opening`: a reader that sees one of these values sees those
        // stored before it.
        self.deadline.store(deadline.0, Ordering::Release);
        self.wait.store(wait, Ordering::Release);
        for (word, value) in self.cause.iter().zip(cause.to_words()) {
            word.store(value, Ordering::Release);
        }
    }

    /// Returns the values that [`set_opening`](Self::set_opening) stored last.
    ///
    /// They belong to a visit only if the state word still has the epoch of that visit when it is loaded afterwards.
    #[inline]
    pub(crate) fn opening(&self) -> (Tick, u64, [u64; 2]) {
        // Acquire, paired with the Release stores in `set_opening`: the state word that is loaded after these is no
        // older than they are.
        let deadline = Tick(self.deadline.load(Ordering::Acquire));
        let wait = self.wait.load(Ordering::Acquire);
        // The numbers are loaded before the reasons, the reverse of the order of the stores. If the breaker is
        // opened again in between, new reasons can be paired with old numbers, which they do not refer to, but old
        // reasons are never paired with new numbers.
        let numbers = self.cause[1].load(Ordering::Acquire);
        (deadline, wait, [self.cause[0].load(Ordering::Acquire), numbers])
    }

    /// Stores the text of the failure that caused the opening of this epoch.
    pub(crate) fn keep_error(&self, epoch: Epoch, text: &str) {
        let text = Some(Arc::new(shortened(text)));
        let mut kept =
            self.last_error.get_or_init(RwLock::default).write().unwrap_or_else(PoisonError::into_inner);
        // A thread that was preempted since its failure must not replace the text of a newer opening.
        if epoch > kept.epoch {
            *kept = LastError { epoch, text };
        }
    }

    /// Returns the text of the failure that caused the opening of this epoch; shared, so nothing is allocated.
    #[inline]
    pub(crate) fn last_error(&self, epoch: Epoch) -> Option<Arc<Box<str>>> {
        let kept = self.last_error.get()?.read().unwrap_or_else(PoisonError::into_inner);
        if kept.epoch == epoch { kept.text.clone() } else { None }
    }
}

/// The last turn; turns start at 1 and fit into three bits of a word. A call that is in flight while its limit is changed
/// six times would be subtracted from a ring that does not count it.
const LAST_TURN: u8 = 6;

/// The maximum length of a failure's text, in characters.
const LONGEST: usize = 256;

/// Truncates a text so that it fits into one line of a log, and replaces characters that are not printable.
fn shortened(text: &str) -> Box<str> {
    let shown = |character| if is_printable(character) { character } else { char::REPLACEMENT_CHARACTER };
    let mut short: String = text.chars().take(LONGEST).map(shown).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.pop();
        short.push('…');
    }
    short.into()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_and_cannot_steer_a_terminal() {
        assert_eq!(&*shortened("reset\u{1b}[2J\nby peer"), "reset\u{fffd}[2J\u{fffd}by peer");
        assert_eq!(&*shortened(&"ä".repeat(256)), "ä".repeat(256));
        assert_eq!(&*shortened(&"ä".repeat(257)), format!("{}…", "ä".repeat(255)));
    }

    #[test]
    fn the_text_of_a_newer_opening_stays() {
        let cold = Cold::new(Box::default());
        cold.keep_error(Epoch(4), "new");
        cold.keep_error(Epoch(2), "old");
        let text = |epoch| cold.last_error(Epoch(epoch)).map(|text| text.to_string());
        assert_eq!((text(2), text(4), text(5)), (None, Some("new".to_owned()), None));
    }
}
