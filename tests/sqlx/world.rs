//! A pool with a breaker on a manual clock.

use std::time::Duration;

use halfopen::{Backoff, CircuitBreaker, ManualClock, Trip};
use halfopen_sqlx::{ProtectedPool, breaker_config};
use sqlx::mysql::MySqlDatabaseError;
use sqlx::pool::PoolOptions;
use sqlx::{Database, Error, Pool};
use test_support::breaker::{SECOND, clocked, ended};

/// A limit that no healthy server exceeds, however busy the machine is.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// A limit that a server which is gone always exceeds.
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// A pool, its breaker, and the breaker's clock.
pub(crate) struct Guarded<DB: Database> {
    pub(crate) pool: ProtectedPool<DB>,
    pub(crate) hands: ManualClock,
}

impl<DB: Database> Guarded<DB> {
    /// Opens after three consecutive failures.
    pub(crate) fn new(pool: Pool<DB>) -> Guarded<DB> {
        Guarded::opening_after(3, pool)
    }

    /// Never opens, so that many codes can be seen.
    pub(crate) fn closed(pool: Pool<DB>) -> Guarded<DB> {
        Guarded::opening_after(1000, pool)
    }

    fn opening_after(failures: u32, pool: Pool<DB>) -> Guarded<DB> {
        let config = breaker_config()
            .trip(Trip::consecutive_failures(failures))
            .open_duration(SECOND)
            .backoff(Backoff::none());
        let (breaker, hands) = clocked("orders", config.build().unwrap());
        Guarded { pool: ProtectedPool::new(pool, breaker).query_timeout(LONG), hands }
    }

    pub(crate) fn breaker(&self) -> &CircuitBreaker {
        self.pool.breaker()
    }

    pub(crate) fn ended(&self) -> String {
        ended(self.breaker())
    }

    /// Returns the code of a call that fails, and the outcome that was recorded.
    pub(crate) async fn failed<T: std::fmt::Debug>(
        &self,
        call: impl Future<Output = sqlx::Result<T>>,
    ) -> (String, String) {
        let before = self.outcomes();
        let error = call.await.unwrap_err();
        let recorded = self.outcomes().into_iter().zip(before).filter(|(now, before)| now.1 > before.1);
        (code_of(&error), recorded.map(|(now, _)| now.0).collect::<Vec<_>>().join(" "))
    }

    fn outcomes(&self) -> Vec<(&'static str, u64)> {
        self.breaker().snapshot().totals.by_outcome().collect()
    }
}

/// The number or code of a server's error, or the name of the variant.
pub(crate) fn code_of(error: &Error) -> String {
    match error {
        Error::Database(error) => error.try_downcast_ref::<MySqlDatabaseError>().map_or_else(
            || error.code().map_or_else(|| "no code".to_owned(), |code| code.into_owned()),
            |error| error.number().to_string(),
        ),
        Error::Io(error) => format!("{:?}", error.kind()),
        other => {
            let name = format!("{other:?}");
            name.split(['(', ' ']).next().unwrap_or_default().to_owned()
        }
    }
}

/// A code with its outcome, to compare with [`Guarded::failed`].
pub(crate) fn seen(code: &str, outcome: &str) -> (String, String) {
    (code.to_owned(), outcome.to_owned())
}

pub(crate) fn options<DB: Database>() -> PoolOptions<DB> {
    PoolOptions::new().max_connections(4).acquire_timeout(LONG)
}

/// Waits until a condition holds, which a server brings about.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::task::yield_now().await;
    }
}
