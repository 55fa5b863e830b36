//! A cap on how many breakers of a group are open together.

mod book;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use halfopen::{CircuitBreaker, ConfigError, ConfigProblem, Event, State, Subscription};

use self::book::{Action, Book};

/// Breakers of which only a share may be open at a time: beyond it the group fails open.
///
/// When most replicas of a service seem to be down, the cause is mostly not the replicas: an overload that moves from one to
/// the next, or a fault of the caller's own network. Opening the last breakers then turns a part of the failures into all of
/// them. A breaker that opens while the share is used up is therefore set to
/// [`MetricsOnly`](State::MetricsOnly): it admits every call and goes on recording. When another one of the group closes,
/// it is closed again, with an empty window.
///
/// - The share counts breakers that are open, half-open or forced open.
/// - The cap acts after the breaker has opened: the calls in between, of a few microseconds, are rejected.
/// - An override of an operator counts, and is never ended. Under one of the group, `reset()` and `force_closed()` work as
///   ever.
/// - Dropped, the group closes the breakers that it holds.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, State};
/// use halfopen_limit::Group;
///
/// let replicas = ["a", "b", "c", "d"].map(|name| CircuitBreaker::builder(name).build());
/// let group = Group::new(replicas.clone()).max_open_share(0.5)?;
///
/// replicas.iter().take(3).for_each(CircuitBreaker::trip);
/// assert_eq!(replicas[1].state(), State::Open);
/// assert_eq!(replicas[2].state(), State::MetricsOnly, "two of four are open");
/// assert_eq!(group.snapshot().held, 1);
///
/// replicas[0].force_closed();
/// assert_eq!(replicas[2].state(), State::Closed);
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[must_use = "a group acts until it is dropped"]
pub struct Group {
    shared: Arc<Shared>,
    _subscriptions: Vec<Subscription>,
}

/// The breakers of a [`Group`] that still has no cap.
#[derive(Debug)]
#[must_use = "it becomes a group with `max_open_share`"]
pub struct GroupMembers(Vec<CircuitBreaker>);

/// The state of a [`Group`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupSnapshot {
    /// The number of breakers.
    pub members: usize,
    /// Those that may be open at a time.
    pub max_open: usize,
    /// Those that are open, half-open or forced open.
    pub open: usize,
    /// Those that the group keeps from being open.
    pub held: usize,
    /// How often the group has kept a breaker from being open.
    pub held_total: u64,
}

struct Shared {
    members: Vec<CircuitBreaker>,
    book: Mutex<Book>,
}

impl Group {
    /// Begins a group of these breakers. It keeps a handle of each, so that no registry evicts them.
    #[allow(clippy::new_ret_no_self, reason = "there is no default of the cap")]
    pub fn new(members: impl IntoIterator<Item = CircuitBreaker>) -> GroupMembers {
        GroupMembers(members.into_iter().collect())
    }

    /// Returns the state of the group.
    pub fn snapshot(&self) -> GroupSnapshot {
        self.shared.book().snapshot()
    }
}

impl GroupMembers {
    /// Sets the share of the breakers that may be open at a time: above 0, at most 1, and rounded down to a number of
    /// breakers.
    ///
    /// # Errors
    ///
    /// A share that is out of range, or so small that no breaker could open.
    pub fn max_open_share(self, share: f64) -> Result<Group, ConfigError> {
        let GroupMembers(members) = self;
        let most = most_open(members.len(), share);
        if most == 0 {
            let range = "above 0, at most 1, and at least one breaker of the group";
            ConfigError::check(vec![ConfigProblem::new("max_open_share", share, range)])?;
        }
        let states = members.iter().map(CircuitBreaker::state);
        let shared = Arc::new(Shared { book: Mutex::new(Book::new(states, most)), members });
        let subscribe = |(place, breaker): (usize, &CircuitBreaker)| {
            let group = Arc::downgrade(&shared);
            breaker.on_event(move |_, event| {
                if let (Event::StateChanged(change), Some(group)) = (event, Weak::upgrade(&group)) {
                    group.changed(place, change.to);
                }
            })
        };
        let _subscriptions = shared.members.iter().enumerate().map(subscribe).collect();
        Ok(Group { shared, _subscriptions })
    }
}

/// How many of so many breakers the share is; 0 if it is out of range.
fn most_open(members: usize, share: f64) -> usize {
    if share > 0.0 && share <= 1.0 {
        // The smallest excess of a double must not cost a breaker: 0.29 of 100 are 29.
        (members as f64 * share + 1e-9) as usize
    } else {
        0
    }
}

impl Shared {
    fn changed(&self, place: usize, to: State) {
        // Acts without the lock: its actions are reported to this group as well.
        let actions = self.book().changed(place, to);
        for action in actions {
            match action {
                Action::Hold(place) => self.members[place].metrics_only(),
                Action::Release(place) => self.release(place),
            }
        }
    }

    fn release(&self, place: usize) {
        let breaker = &self.members[place];
        // An operator may have set another override since.
        if breaker.state() == State::MetricsOnly {
            breaker.force_closed();
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let held = self.shared.book().dissolve();
        held.into_iter().for_each(|place| self.shared.release(place));
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
