#[cfg(feature = "tokio")]
mod acquire;
mod shard;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use halfopen::{Clock, ConfigError, ConfigProblem, Rejected};

#[cfg(feature = "tokio")]
pub use self::acquire::AcquireKey;
use self::shard::{Answer, Shard};
#[cfg(feature = "tokio")]
use super::meter::Meter;
use super::meter::Refused;
use super::quota::Quota;
use super::wake_all;
use crate::nanos;
use crate::rejected::rate_limited;
use crate::reports::Reports;
use crate::sync::{AtomicU64, Mutex, Ordering, RwLock, lock, read, write};

/// A limit per key: tenant, tool, address.
///
/// Cheap to clone; every clone is the same. The name in a rejection is the key's.
///
/// The number of keys is bounded ([`max_keys`](KeyedRateLimiterBuilder::max_keys)). A key that has not been
/// used for as long as its burst takes to come back is the same as a new one, so it is dropped and nothing
/// is lost. Where more keys than that are in use at a time, the one that comes closest among a few is
/// dropped for a new one and counted as evicted: it has its whole burst again when it comes back.
///
/// # Examples
///
/// ```
/// use halfopen_limit::{KeyedRateLimiter, Quota};
/// use std::time::Duration;
///
/// let minute = Duration::from_secs(60);
/// let tools = KeyedRateLimiter::new("tools", Quota::calls(100).per(minute).build()?)
///     .quota_for("asyncgate.create_task", Quota::calls(50).per(minute).burst(1)?);
///
/// assert!(tools.try_acquire("asyncgate.create_task").is_ok());
/// let rejected = tools.try_acquire("asyncgate.create_task").unwrap_err();
/// assert_eq!(rejected.name(), "asyncgate.create_task");
/// assert!(tools.try_acquire("asyncgate.list_tasks").is_ok());
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct KeyedRateLimiter(Arc<Shared>);

struct Shared {
    name: Arc<str>,
    clock: Clock,
    quotas: RwLock<Quotas>,
    shards: Box<[RwLock<Shard>]>,
    keys: RandomState,
    long_keys: RandomState,
    /// Held while a quota changes, so that two changes reach all shards in one order.
    changes: Mutex<()>,
    rejected: AtomicU64,
    reports: Reports,
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "nothing waits without a timer"))]
    max_wait: u64,
}

struct Quotas {
    default: Quota,
    own: HashMap<Arc<str>, Quota>,
}

/// Builds a [`KeyedRateLimiter`].
#[must_use = "a builder does nothing until it builds"]
pub struct KeyedRateLimiterBuilder {
    name: Arc<str>,
    quota: Quota,
    clock: Clock,
    max_keys: u32,
    max_wait: Duration,
}

/// The state of a [`KeyedRateLimiter`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyedRateLimiterSnapshot {
    /// The name of the limiter.
    pub name: Arc<str>,
    /// The quota of a key without one of its own.
    pub quota: Quota,
    /// Keys that are remembered.
    pub keys: usize,
    /// Calls of `acquire` that wait for their turn, of all keys that are remembered.
    pub waiting: usize,
    /// Rejections so far, of all keys.
    pub rejected: u64,
    /// Keys dropped so far though they had used a part of their quota.
    pub evicted: u64,
}

const DEFAULT_KEYS: u32 = 10_000;

/// Bytes; of keys that come from outside, no more than this is kept.
const LONGEST_KEY: usize = 256;

/// Locks for the keys, as long as each has room for [`KEYS_PER_SHARD`].
const MOST_SHARDS: u32 = 16;
const KEYS_PER_SHARD: u32 = 64;

impl KeyedRateLimiter {
    /// Creates a limiter with one quota for every key and room for 10,000 keys.
    pub fn new(name: impl Into<Arc<str>>, quota: Quota) -> KeyedRateLimiter {
        KeyedRateLimiter::builder(name, quota).assemble()
    }

    /// Returns a builder, for a limiter with a clock or a number of keys of its own.
    pub fn builder(name: impl Into<Arc<str>>, quota: Quota) -> KeyedRateLimiterBuilder {
        KeyedRateLimiterBuilder {
            name: name.into(),
            quota,
            clock: Clock::system(),
            max_keys: DEFAULT_KEYS,
            max_wait: Duration::ZERO,
        }
    }

    /// Gives one key a quota of its own: [`set_quota_for`](Self::set_quota_for), while building.
    #[must_use = "the limiter is returned"]
    pub fn quota_for(self, key: &str, quota: Quota) -> KeyedRateLimiter {
        self.set_quota_for(key, quota);
        self
    }

    /// Returns the name of the limiter.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Takes one call of the key's quota.
    ///
    /// # Errors
    ///
    /// As [`RateLimiter::try_acquire`](crate::RateLimiter::try_acquire), with the key as the name.
    #[inline]
    pub fn try_acquire(&self, key: &str) -> Result<(), Rejected> {
        self.try_acquire_many(key, 1)
    }

    /// Takes several calls of the key's quota, all or none.
    ///
    /// # Errors
    ///
    /// As [`RateLimiter::try_acquire_many`](crate::RateLimiter::try_acquire_many), with the key as the name.
    pub fn try_acquire_many(&self, key: &str, calls: u32) -> Result<(), Rejected> {
        match self.take(&self.bounded(key), calls) {
            Answer::Permitted => Ok(()),
            Answer::Refused { key, nanos } => Err(self.reject_slow(&key, nanos)),
        }
    }

    /// Takes one call of the key's quota and returns true, if it is permitted now; counts no rejection.
    ///
    /// For code that goes on with `acquire` or with a rejection of its own.
    #[inline]
    pub fn acquire_if_permitted(&self, key: &str) -> bool {
        matches!(self.take(&self.bounded(key), 1), Answer::Permitted)
    }

    /// Gives one key a quota of its own, under running calls.
    ///
    /// Calls that wait keep their order and get their turn at the new pace. It is kept until it is removed, so
    /// their number is the caller's to bound.
    pub fn set_quota_for(&self, key: &str, quota: Quota) {
        let key = &*self.bounded(key);
        // One change at a time: a key's own quota and a new default would otherwise reach the shards in different
        // orders.
        let changing = lock(&self.0.changes);
        write(&self.0.quotas).own.insert(key.into(), quota);
        let waiters = write(self.shard(key)).set_quota(key, quota, self.now());
        drop(changing);
        wake_all(waiters);
    }

    /// Takes its own quota from a key, which has that of the others then, and returns it.
    pub fn remove_quota_for(&self, key: &str) -> Option<Quota> {
        let key = &*self.bounded(key);
        let changing = lock(&self.0.changes);
        let (removed, default) = {
            let mut quotas = write(&self.0.quotas);
            (quotas.own.remove(key)?, quotas.default)
        };
        let waiters = write(self.shard(key)).set_quota(key, default, self.now());
        drop(changing);
        wake_all(waiters);
        Some(removed)
    }

    /// Replaces the quota of all keys that have none of their own, under running calls.
    ///
    /// Calls that wait keep their order and get their turn at the new pace.
    pub fn set_quota(&self, quota: Quota) {
        let changing = lock(&self.0.changes);
        let own: HashSet<Arc<str>> = {
            let mut quotas = write(&self.0.quotas);
            quotas.default = quota;
            quotas.own.keys().cloned().collect()
        };
        let now = self.now();
        let waiters: Vec<_> =
            self.0.shards.iter().flat_map(|shard| write(shard).set_default(&own, quota, now)).collect();
        drop(changing);
        wake_all(waiters);
    }

    /// Returns the quota of a key.
    pub fn quota_of(&self, key: &str) -> Quota {
        self.quota_of_bounded(&self.bounded(key))
    }

    /// Returns the state of the limiter; changes nothing.
    pub fn snapshot(&self) -> KeyedRateLimiterSnapshot {
        let (mut keys, mut waiting, mut evicted) = (0, 0, 0);
        for shard in &self.0.shards {
            let shard = read(shard);
            keys += shard.len();
            waiting += shard.waiting();
            evicted += shard.evicted();
        }
        KeyedRateLimiterSnapshot {
            name: Arc::clone(&self.0.name),
            quota: read(&self.0.quotas).default,
            keys,
            waiting,
            rejected: self.0.rejected.load(Ordering::Relaxed),
            evicted,
        }
    }

    /// Returns the key as it is kept: a long one as a prefix and a hash of the whole.
    fn bounded<'a>(&self, key: &'a str) -> Cow<'a, str> {
        if key.len() <= LONGEST_KEY { Cow::Borrowed(key) } else { Cow::Owned(self.shorten_slow(key)) }
    }

    #[cold]
    fn shorten_slow(&self, key: &str) -> String {
        let prefix: String = key.chars().take(LONGEST_KEY / 8).collect();
        // Two hashes with seeds of their own: keys that an attacker makes up cannot be made to share one quota.
        let hashes = [self.0.keys.hash_one(key), self.0.long_keys.hash_one(key)];
        format!("{prefix}..{:016x}{:016x}", hashes[0], hashes[1])
    }

    fn quota_of_bounded(&self, key: &str) -> Quota {
        let quotas = read(&self.0.quotas);
        quotas.own.get(key).copied().unwrap_or(quotas.default)
    }

    /// Takes calls of a bounded key.
    fn take(&self, key: &str, calls: u32) -> Answer {
        let now = self.now();
        let shard = self.shard(key);
        // A key that is known takes a shared lock, and its permit is one compare-and-swap.
        let known = read(shard).try_take(key, now, calls);
        known.unwrap_or_else(|| self.add_slow(shard, key, now, calls))
    }

    #[cold]
    fn add_slow(&self, shard: &RwLock<Shard>, key: &str, now: u64, calls: u32) -> Answer {
        let mut shard = write(shard);
        // Under the lock of the shard: a quota set from now on finds the key.
        shard.add(key, self.quota_of_bounded(key).pace(), now);
        shard.try_take(key, now, calls).unwrap_or(Answer::Permitted)
    }

    #[cold]
    fn reject_slow(&self, key: &Arc<str>, refused: Refused) -> Rejected {
        // Relaxed: a count for snapshots, which publishes nothing.
        self.0.rejected.fetch_add(1, Ordering::Relaxed);
        let rejected = rate_limited(key, refused.map(Duration::from_nanos));
        self.0.reports.rate_limited(&self.0.name, Some(key), &rejected, self.now());
        rejected
    }

    fn shard(&self, key: &str) -> &RwLock<Shard> {
        let shards = &self.0.shards;
        // The low bits choose a bucket within the shard, so the shard is chosen by high ones.
        let hash = self.0.keys.hash_one(key) >> 32;
        &shards[usize::try_from(hash).unwrap_or_default() % shards.len()]
    }

    fn now(&self) -> u64 {
        self.0.clock.elapsed_nanos()
    }
}

#[cfg(feature = "tokio")]
impl KeyedRateLimiter {
    /// Takes one call of the key's quota, now or at its turn, if that comes within the limiter's
    /// [`max_wait`](KeyedRateLimiterBuilder::max_wait).
    ///
    /// The order of a key's calls is first in, first out, and no later one passes a call that waits:
    /// [`RateLimiter::acquire`](crate::RateLimiter::acquire) per key. The call arrives when the future is
    /// polled first.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_limit::{KeyedRateLimiter, Quota};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), halfopen::BoxError> {
    /// let quota = Quota::calls(10).per(Duration::from_secs(1)).burst(1)?;
    /// let tenants = KeyedRateLimiter::builder("tenants", quota).max_wait(Duration::from_millis(250)).build()?;
    ///
    /// tenants.acquire("acme").await?;
    /// tenants.acquire("acme").await?; // waits 100 ms
    /// tenants.acquire("globex").await?; // waits for no call of another key
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// A rejection with the key as its name, immediately: the turn would come too late.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its turn, the call gives its place back and those of the key behind it move up. Dropped
    /// after its turn has come, it has used its call.
    ///
    /// # Panics
    ///
    /// If it has to wait outside a tokio runtime with its timer.
    pub fn acquire(&self, key: &str) -> AcquireKey {
        self.acquire_many(key, 1)
    }

    /// Takes several calls of the key's quota, all at one turn: [`acquire`](Self::acquire).
    pub fn acquire_many(&self, key: &str, calls: u32) -> AcquireKey {
        let key = &*self.bounded(key);
        // A known key is shared, so that a permitted call allocates nothing.
        let known = read(self.shard(key)).key(key);
        AcquireKey::new(self.clone(), known.unwrap_or_else(|| key.into()), calls)
    }

    #[cold]
    fn meter_slow(&self, key: &str) -> Arc<Meter> {
        let mut shard = write(self.shard(key));
        shard.meter(key, self.quota_of_bounded(key), self.now())
    }
}

impl KeyedRateLimiterBuilder {
    /// Sets the clock; the default is the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how many keys are remembered at most: at least 1. The default is 10,000.
    ///
    /// A key takes about a hundred bytes and its own length, of which at most 256 bytes are kept. About a thousand keys or more are kept in
    /// groups of equal size, of which one can be full before the others are.
    pub fn max_keys(mut self, keys: u32) -> Self {
        self.max_keys = keys;
        self
    }

    /// Sets how long a call waits for its turn in [`KeyedRateLimiter::acquire`]; the default is not to wait.
    ///
    /// It bounds the queue of each key as well: no more calls of a key wait than come back in that time.
    #[cfg(feature = "tokio")]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Builds the limiter.
    ///
    /// # Errors
    ///
    /// `max_keys` is 0.
    pub fn build(self) -> Result<KeyedRateLimiter, ConfigError> {
        if self.max_keys == 0 {
            ConfigError::check(vec![ConfigProblem::new("max_keys", 0, "at least 1")])?;
        }
        Ok(self.assemble())
    }

    fn assemble(self) -> KeyedRateLimiter {
        let shards = (self.max_keys / KEYS_PER_SHARD).clamp(1, MOST_SHARDS);
        let room = usize::try_from(self.max_keys / shards).unwrap_or(usize::MAX);
        KeyedRateLimiter(Arc::new(Shared {
            name: self.name,
            clock: self.clock,
            quotas: RwLock::new(Quotas { default: self.quota, own: HashMap::new() }),
            shards: (0..shards).map(|_| RwLock::new(Shard::new(room))).collect(),
            keys: RandomState::default(),
            long_keys: RandomState::default(),
            changes: Mutex::new(()),
            rejected: AtomicU64::new(0),
            reports: Reports::default(),
            max_wait: nanos(self.max_wait),
        }))
    }
}

impl fmt::Debug for KeyedRateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.snapshot();
        f.debug_struct("KeyedRateLimiter")
            .field("name", &snapshot.name)
            .field("keys", &snapshot.keys)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyedRateLimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimiterBuilder")
            .field("name", &self.name)
            .field("max_keys", &self.max_keys)
            .finish_non_exhaustive()
    }
}
