//! Rate limits that many processes share.

mod builder;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::{RejectReason, Rejected};
use halfopen_limit::{KeyedRateLimiter, Quota};
use redis::aio::ConnectionLike;
use redis::{RedisError, Script};

pub use self::builder::SharedRateLimiterBuilder;
use crate::client::ProtectedConnection;
use crate::lock;

/// The script of a [`SharedRateLimiter`], for programs in other languages that share a limit.
///
/// Its first lines describe the key and the arguments. It touches one key, which expires when it is no longer needed.
pub const RATE_LIMIT_SCRIPT: &str = include_str!("acquire.lua");

/// The key of calls that have none.
const WHOLE: &str = "";

/// A rate limit that all processes share that use the same server and name.
///
/// Decides as [`RateLimiter`](halfopen_limit::RateLimiter) does, by the generic cell rate algorithm, in a script on
/// the server and with the server's clock: one round trip for each call. Cheap to clone; every clone is the same
/// limiter.
///
/// - A server that is away, slow, full or demoted never fails a call: after at most the
///   [`budget`](SharedRateLimiterBuilder::budget) the limiter decides locally, with the share of one of
///   [`expected_nodes`](SharedRateLimiterBuilder::expected_nodes). While its own breaker is open, it decides locally
///   without a request. [`snapshot`](Self::snapshot) counts these decisions.
/// - Each key of the server is `PREFIX:NAME`, or `PREFIX:NAME:KEY` for calls with a key, and expires when its calls have
///   come back. No script uses two keys, so that a cluster can hold them.
/// - A request that exceeds the budget may have taken its call nevertheless: a call that is decided twice counts twice.
///
/// # Examples
///
/// ```no_run
/// use halfopen_limit::Quota;
/// use halfopen_redis::SharedRateLimiter;
/// use redis::aio::{ConnectionManager, ConnectionManagerConfig};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), halfopen::BoxError> {
/// let client = redis::Client::open("redis://127.0.0.1/")?;
/// let manager = ConnectionManager::new_lazy_with_config(client, ConnectionManagerConfig::new())?;
///
/// let quota = Quota::calls(100).per(Duration::from_secs(60)).burst(20)?;
/// let tasks = SharedRateLimiter::builder("create-task", quota, manager)
///     .budget(Duration::from_millis(20))
///     .expected_nodes(4)
///     .build();
///
/// match tasks.try_acquire_key("tenant-7").await {
///     Ok(()) => println!("go on"),
///     Err(rejected) => println!("{rejected}"), // rate limit `create-task` is used up; retry in 600ms
/// }
/// # Ok(()) }
/// ```
pub struct SharedRateLimiter<C>(Arc<Shared<C>>);

struct Shared<C> {
    name: Arc<str>,
    prefix: Box<str>,
    script: Script,
    connection: ProtectedConnection<C>,
    quota: Mutex<Quota>,
    nodes: u32,
    max_wait: Duration,
    local: KeyedRateLimiter,
    counts: Counts,
    last_error: Mutex<Option<Arc<str>>>,
}

#[derive(Debug, Default)]
struct Counts {
    shared: AtomicU64,
    local: AtomicU64,
    rejected: AtomicU64,
}

/// The state of a [`SharedRateLimiter`], as this process has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedRateLimiterSnapshot {
    /// The name of the limiter.
    pub name: Arc<str>,
    /// The quota in force.
    pub quota: Quota,
    /// Decisions of the server for this process.
    pub shared_decisions: u64,
    /// Decisions of this process alone, because the server had no answer in time.
    pub local_decisions: u64,
    /// Rejections, the server's and local ones.
    pub rejected: u64,
    /// Whether the server is used: false while the limiter's breaker rejects requests.
    pub connected: bool,
    /// The error of the latest request that had no answer.
    pub last_error: Option<Arc<str>>,
}

/// The answer to a request for calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Permitted after a wait, which may be zero.
    Permit(Duration),
    /// Not permitted for so long.
    Reject(Duration),
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> SharedRateLimiter<C> {
    /// Creates a limiter with the default budget of 50 ms, in which no call waits.
    pub fn new(name: impl Into<Arc<str>>, quota: Quota, connection: C) -> Self {
        SharedRateLimiter::builder(name, quota, connection).build()
    }

    /// Returns a builder.
    pub fn builder(name: impl Into<Arc<str>>, quota: Quota, connection: C) -> SharedRateLimiterBuilder<C> {
        SharedRateLimiterBuilder::new(name.into(), quota, connection)
    }

    /// Takes one call of the quota.
    ///
    /// # Errors
    ///
    /// A rejection with the reason [`RateLimited`](RejectReason::RateLimited), and no error of the server. Its
    /// `retry_after` is the server's, or the local one's if this process decided.
    ///
    /// # Cancel safety
    ///
    /// A dropped request may have taken its call.
    pub async fn try_acquire(&self) -> Result<(), Rejected> {
        self.take(WHOLE, 1, Duration::ZERO).await
    }

    /// Takes several calls of the quota, all of them or not one; zero calls are always permitted.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire). More calls than the quota's burst are permitted at no time: their
    /// rejection has no `retry_after`.
    pub async fn try_acquire_many(&self, calls: u32) -> Result<(), Rejected> {
        self.take(WHOLE, calls, Duration::ZERO).await
    }

    /// Takes one call of the quota of this key: each key has the whole quota.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub async fn try_acquire_key(&self, key: &str) -> Result<(), Rejected> {
        self.take(key, 1, Duration::ZERO).await
    }

    /// Takes one call of the quota, now or at its turn, if that comes within
    /// [`max_wait`](SharedRateLimiterBuilder::max_wait).
    ///
    /// The server assigns the turns of all processes in the order of their requests.
    ///
    /// # Errors
    ///
    /// A rejection, without waiting: the turn would come too late.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped while it waits has used its turn.
    pub async fn acquire(&self) -> Result<(), Rejected> {
        self.take(WHOLE, 1, self.0.max_wait).await
    }

    /// Takes one call of the quota of this key, now or at its turn: [`acquire`](Self::acquire).
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_key(&self, key: &str) -> Result<(), Rejected> {
        self.take(key, 1, self.0.max_wait).await
    }

    async fn take(&self, key: &str, calls: u32, may_wait: Duration) -> Result<(), Rejected> {
        let quota = self.quota();
        if calls == 0 {
            return Ok(());
        }
        if calls > quota.max_burst() {
            return Err(self.reject(None));
        }
        match self.ask(key, quota, calls, may_wait).await {
            Ok(decision) => {
                self.0.counts.shared.fetch_add(1, Ordering::Relaxed);
                self.obey(decision).await
            }
            Err(error) => self.decide_locally(&error, key, calls, may_wait).await,
        }
    }

    async fn ask(
        &self,
        key: &str,
        quota: Quota,
        calls: u32,
        may_wait: Duration,
    ) -> Result<Decision, RedisError> {
        let Shared { script, connection, max_wait, .. } = &*self.0;
        let request =
            [interval(quota), quota.max_burst().into(), calls.into(), nanos(may_wait), nanos(*max_wait)];
        let mut invocation = script.prepare_invoke();
        invocation.key(self.key_of(key)).arg(&request);
        let invocation = &invocation;
        let (permitted, wait): (bool, u64) =
            connection.call(async |mut connection| invocation.invoke_async(&mut connection).await).await?;
        let wait = Duration::from_nanos(wait);
        Ok(if permitted { Decision::Permit(wait) } else { Decision::Reject(wait) })
    }

    async fn obey(&self, decision: Decision) -> Result<(), Rejected> {
        match decision {
            Decision::Permit(Duration::ZERO) => Ok(()),
            Decision::Permit(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Decision::Reject(wait) => Err(self.reject(Some(wait))),
        }
    }

    #[cold]
    async fn decide_locally(
        &self,
        error: &RedisError,
        key: &str,
        calls: u32,
        may_wait: Duration,
    ) -> Result<(), Rejected> {
        self.0.counts.local.fetch_add(1, Ordering::Relaxed);
        // The rejections of the breaker follow from the errors before them.
        if halfopen::rejection(error).is_none() {
            *lock(&self.0.last_error) = Some(error.to_string().into());
        }
        // The share of one process has a smaller burst, of which no request is to ask for more.
        let calls = calls.min(share(self.quota(), self.0.nodes).max_burst());
        let decided = if may_wait.is_zero() {
            self.0.local.try_acquire_many(key, calls)
        } else {
            self.0.local.acquire_many(key, calls).await
        };
        // With the name of this limiter: the local one has the key in it.
        decided.map_err(|rejected| self.reject(rejected.retry_after()))
    }

    /// Returns the state of the limiter; sends nothing.
    pub fn snapshot(&self) -> SharedRateLimiterSnapshot {
        let Counts { shared, local, rejected } = &self.0.counts;
        SharedRateLimiterSnapshot {
            name: Arc::clone(&self.0.name),
            quota: self.quota(),
            shared_decisions: shared.load(Ordering::Relaxed),
            local_decisions: local.load(Ordering::Relaxed),
            rejected: rejected.load(Ordering::Relaxed),
            connected: !self.0.connection.breaker().is_rejecting(),
            last_error: lock(&self.0.last_error).clone(),
        }
    }
}

impl<C> SharedRateLimiter<C> {
    /// Returns the name of the limiter.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the quota in force.
    pub fn quota(&self) -> Quota {
        *lock(&self.0.quota)
    }

    /// Replaces the quota for the requests of this process.
    ///
    /// The quota is sent with each request: processes with different quotas share the calls that were used, and each
    /// decides by its own.
    pub fn set_quota(&self, quota: Quota) {
        *lock(&self.0.quota) = quota;
        self.0.local.set_quota(share(quota, self.0.nodes));
    }

    fn key_of(&self, key: &str) -> String {
        let Shared { prefix, name, .. } = &*self.0;
        if key == WHOLE { format!("{prefix}:{name}") } else { format!("{prefix}:{name}:{key}") }
    }

    #[cold]
    fn reject(&self, retry_after: Option<Duration>) -> Rejected {
        self.0.counts.rejected.fetch_add(1, Ordering::Relaxed);
        Rejected::new(Arc::clone(&self.0.name), RejectReason::RateLimited, retry_after)
    }
}

/// The quota of one of so many processes: the pace divided by their number, and the burst rounded down to 1 at least.
fn share(quota: Quota, nodes: u32) -> Quota {
    let per = quota.period().saturating_mul(nodes);
    let burst = (quota.max_burst() / nodes).max(1);
    // Only of a quota that is slower than a call in a lifetime is there no share.
    Quota::calls(quota.max_calls()).per(per).burst(burst).unwrap_or(quota)
}

fn interval(quota: Quota) -> u64 {
    nanos(quota.period()).div_ceil(quota.max_calls().into())
}

/// Nanoseconds of a duration, up to the 292 years that fit the integers of the server.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min(i64::MAX as u64)
}

impl<C> Clone for SharedRateLimiter<C> {
    fn clone(&self) -> Self {
        SharedRateLimiter(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for SharedRateLimiter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRateLimiter")
            .field("name", &self.name())
            .field("quota", &self.quota())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_process_divides_pace_and_burst() {
        let minute = Duration::from_secs(60);
        let quota = Quota::calls(100).per(minute).burst(20).unwrap();
        assert_eq!(share(quota, 1), quota);
        assert_eq!(share(quota, 4), Quota::calls(100).per(4 * minute).burst(5).unwrap());
        assert_eq!(share(quota, 50).max_burst(), 1, "a call can always be made at some time");
    }
}
