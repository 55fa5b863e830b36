mod shard;

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use halfopen::{Clock, ConfigError, ConfigProblem, Rejected};

use self::shard::{Answer, Shard};
use super::gcra::Pace;
use super::quota::Quota;
use crate::nanos;
use crate::rejected::rate_limited;
use crate::sync::{AtomicU64, Ordering, RwLock, read, write};

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
    rejected: AtomicU64,
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
    /// Rejections so far, of all keys.
    pub rejected: u64,
    /// Keys dropped so far though they had used a part of their quota.
    pub evicted: u64,
}

const DEFAULT_KEYS: u32 = 10_000;

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
        KeyedRateLimiterBuilder { name: name.into(), quota, clock: Clock::system(), max_keys: DEFAULT_KEYS }
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
        let now = self.now();
        let shard = self.shard(key);
        let known = read(shard).try_take(key, now, calls);
        match known.unwrap_or_else(|| self.add_slow(shard, key, now, calls)) {
            Answer::Permitted => Ok(()),
            Answer::Refused { key, nanos } => {
                self.0.rejected.fetch_add(1, Ordering::Relaxed);
                Err(rate_limited(&key, nanos.map(Duration::from_nanos)))
            }
        }
    }

    /// Gives one key a quota of its own, under running calls.
    pub fn set_quota_for(&self, key: &str, quota: Quota) {
        write(&self.0.quotas).own.insert(key.into(), quota);
        write(self.shard(key)).set_pace(key, quota.pace(), self.now());
    }

    /// Replaces the quota of all keys that have none of their own, under running calls.
    pub fn set_quota(&self, quota: Quota) {
        let own: Vec<Arc<str>> = {
            let mut quotas = write(&self.0.quotas);
            quotas.default = quota;
            quotas.own.keys().cloned().collect()
        };
        for shard in &self.0.shards {
            write(shard).set_pace_of_all_but(&own, quota.pace(), self.now());
        }
    }

    /// Returns the quota of a key.
    pub fn quota_of(&self, key: &str) -> Quota {
        let quotas = read(&self.0.quotas);
        quotas.own.get(key).copied().unwrap_or(quotas.default)
    }

    /// Returns the state of the limiter; changes nothing.
    pub fn snapshot(&self) -> KeyedRateLimiterSnapshot {
        let (mut keys, mut evicted) = (0, 0);
        for shard in &self.0.shards {
            let shard = read(shard);
            keys += shard.len();
            evicted += shard.evicted();
        }
        KeyedRateLimiterSnapshot {
            name: Arc::clone(&self.0.name),
            quota: read(&self.0.quotas).default,
            keys,
            rejected: self.0.rejected.load(Ordering::Relaxed),
            evicted,
        }
    }

    #[cold]
    fn add_slow(&self, shard: &RwLock<Shard>, key: &str, now: u64, calls: u32) -> Answer {
        let mut shard = write(shard);
        // Under the lock of the shard: a quota set from now on finds the key.
        let pace: Pace = self.quota_of(key).pace();
        shard.add(key, pace, now);
        shard.try_take(key, now, calls).unwrap_or(Answer::Permitted)
    }

    fn shard(&self, key: &str) -> &RwLock<Shard> {
        let shards = &self.0.shards;
        // The low bits choose a bucket within the shard, so the shard is chosen by high ones.
        let hash = self.0.keys.hash_one(key) >> 32;
        &shards[usize::try_from(hash).unwrap_or_default() % shards.len()]
    }

    fn now(&self) -> u64 {
        nanos(self.0.clock.elapsed())
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
    /// A key takes about a hundred bytes and its own length. About a thousand keys or more are kept in
    /// groups of equal size, of which one can be full before the others are.
    pub fn max_keys(mut self, keys: u32) -> Self {
        self.max_keys = keys;
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
            rejected: AtomicU64::new(0),
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
