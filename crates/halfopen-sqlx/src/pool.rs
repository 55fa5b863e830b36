use std::fmt;
use std::time::Duration;

use halfopen::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, CircuitBreakerError, HalfOpen,
};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, Database, Executor, Pool, SqlSafeStr, SqlStr};

use crate::classify::SqlxClassify;
use crate::error::{rejected, timed_out};
use crate::transaction::ProtectedTransaction;

/// The default of [`ProtectedPool::query_timeout`]: the client's default for the wait for a connection.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection pool whose calls pass through a circuit breaker.
///
/// `&pool` is an [`Executor`] and an [`Acquire`](sqlx::Acquire): queries, streams, prepared statements and functions that are
/// generic over either work on it unchanged. Clones share the pool and the breaker.
///
/// - While the breaker is open, a call fails immediately, and no connection is acquired. [`halfopen::rejection`]
///   finds the [`Rejected`](halfopen::Rejected) in the error.
/// - [`SqlxClassify`] decides which errors are failures. The wait for a connection is a part of the call: a server
///   that is gone shows as [`sqlx::Error::PoolTimedOut`].
/// - Every call has a [`query_timeout`](Self::query_timeout), 30 seconds by default. The client has none of its own.
/// - A stream is one call, which ends with its first error or its end.
///
/// # Connections and transactions
///
/// Statements on a connection or a transaction go to the driver directly, and are not recorded one by one.
/// [`run`](Self::run) makes a whole block one call, whose first error is the outcome. A transaction of [`begin`](Self::begin)
/// is one call, from its begin to its commit; [`ProtectedTransaction::record`] ends it with the failure of a statement. An
/// [`acquire`](Self::acquire) is a call, and [`record`](Self::record) records a result on its connection.
///
/// # Timeouts
///
/// A call that timed out may still be executed, and a write that timed out may have been made. The server goes on with the
/// query, and its connection is busy until that ends. Give the server the same limit (`statement_timeout` of PostgreSQL,
/// `max_statement_time` of MariaDB), or timeouts of a slow query use up the pool and open the breaker of a
/// healthy server. Set the pool's `acquire_timeout` to between one and three seconds: with its default a server that is gone
/// costs every call 30 seconds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use halfopen::CircuitBreaker;
/// use halfopen_sqlx::{ProtectedPool, breaker_config};
/// use sqlx::sqlite::SqlitePoolOptions;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = SqlitePoolOptions::new().acquire_timeout(Duration::from_secs(2));
/// let config = breaker_config().open_duration(Duration::from_secs(5)).build()?;
/// let pool = ProtectedPool::new(
///     options.connect_lazy("sqlite::memory:")?, // lazy: the program starts although the server is away
///     CircuitBreaker::new("orders", config),
/// )
/// .query_timeout(Duration::from_secs(3));
///
/// let sum: i64 = sqlx::query_scalar("SELECT 1 + 1").fetch_one(&pool).await?;
/// assert_eq!(sum, 2);
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// A dropped call is recorded as abandoned and gives back a probe's slot. What it has sent may be executed.
#[must_use = "a pool does nothing until a query is made"]
pub struct ProtectedPool<DB: Database> {
    pool: Pool<DB>,
    breaker: CircuitBreaker,
    classify: SqlxClassify,
    query_timeout: Option<Duration>,
    health_check_query: Option<SqlStr>,
}

/// Returns the defaults of a breaker, with a half-open state that tolerates one failed probe.
///
/// After an outage a pool may have a connection from before it, whose first use fails although the server is back.
pub fn breaker_config() -> CircuitBreakerConfigBuilder {
    CircuitBreakerConfig::builder().half_open(HalfOpen::new().success_threshold(1).max_failures(1))
}

impl<DB: Database> ProtectedPool<DB> {
    /// Wraps a pool, with the default classifier and a query timeout of 30 seconds.
    ///
    /// [`breaker_config`] has the defaults of a database's breaker. In a build without the feature `mysql`, a pool of
    /// MySQL is an error of the compiler.
    pub fn new(pool: Pool<DB>, breaker: CircuitBreaker) -> Self {
        const { assert!(is_supported(DB::NAME), "pools of MySQL need the feature `mysql` of `halfopen-sqlx`") }
        let (classify, query_timeout) = (SqlxClassify::new(), Some(QUERY_TIMEOUT));
        ProtectedPool { pool, breaker, classify, query_timeout, health_check_query: None }
    }

    /// Wraps a pool, with a breaker of its own that has the configuration [`breaker_config`].
    pub fn named(name: &str, pool: Pool<DB>) -> Self {
        let config = breaker_config().build().expect("the defaults are valid");
        ProtectedPool::new(pool, CircuitBreaker::new(name, config))
    }

    /// Sets the classifier.
    pub fn classify(self, classify: SqlxClassify) -> Self {
        ProtectedPool { classify, ..self }
    }

    /// Sets the longest time that a call may take, with the wait for a connection; of a stream, the wait for each
    /// item.
    ///
    /// The error of a call that exceeds it has a [`QueryTimedOut`](crate::QueryTimedOut) in its chain, and is a
    /// failure. The server may still execute it.
    pub fn query_timeout(self, limit: Duration) -> Self {
        ProtectedPool { query_timeout: Some(limit), ..self }
    }

    /// Removes the time limit, for migrations and reports.
    pub fn without_query_timeout(self) -> Self {
        ProtectedPool { query_timeout: None, ..self }
    }

    /// Sets the query of [`health_check`](Self::health_check). By default it is a ping of the driver.
    pub fn health_check_query(self, query: impl SqlSafeStr) -> Self {
        // Copied once into a shared text: each call clones the pool, and a text of its own with it.
        let query = AssertSqlSafe(query.into_sql_str().as_str()).into_sql_str();
        ProtectedPool { health_check_query: Some(query), ..self }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns the pool, whose calls do not pass through the breaker.
    pub fn inner(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Acquires a connection, as one call of the breaker. Statements on it go to the driver directly.
    ///
    /// # Errors
    ///
    /// The errors of the pool, a rejection, a [`QueryTimedOut`](crate::QueryTimedOut).
    pub async fn acquire(&self) -> sqlx::Result<PoolConnection<DB>> {
        self.protect(|| self.pool.acquire()).await
    }

    /// Begins a transaction. It is one call of the breaker, until its commit or rollback.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> sqlx::Result<()> {
    /// # use halfopen_sqlx::ProtectedPool;
    /// # let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    /// # let pool = ProtectedPool::named("orders", options.connect("sqlite::memory:").await?);
    /// # sqlx::query("CREATE TABLE orders (id INTEGER)").execute(&pool).await?;
    /// let mut transaction = pool.begin().await?;
    /// sqlx::query("INSERT INTO orders VALUES (7)").execute(&mut *transaction).await?;
    /// transaction.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of the pool and of the server, a rejection, a [`QueryTimedOut`](crate::QueryTimedOut).
    pub async fn begin(&self) -> sqlx::Result<ProtectedTransaction<DB>> {
        ProtectedTransaction::begin(self, self.pool.begin()).await
    }

    /// Begins a transaction with a statement of its own, such as `BEGIN IMMEDIATE` of SQLite.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`begin`](Self::begin).
    pub async fn begin_with(&self, statement: impl SqlSafeStr) -> sqlx::Result<ProtectedTransaction<DB>> {
        ProtectedTransaction::begin(self, self.pool.begin_with(statement.into_sql_str())).await
    }

    /// Makes a block of statements one call of the breaker, within the query timeout.
    ///
    /// The block gets the pool itself, so that its statements are not recorded one by one. Its first error is the outcome.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> sqlx::Result<()> {
    /// # use halfopen_sqlx::ProtectedPool;
    /// # let pool = ProtectedPool::named("orders", sqlx::SqlitePool::connect("sqlite::memory:").await?);
    /// let seven: i64 = pool
    ///     .run(async |pool| {
    ///         let mut transaction = pool.begin().await?;
    ///         let seven = sqlx::query_scalar("SELECT 7").fetch_one(&mut *transaction).await?;
    ///         transaction.commit().await?;
    ///         Ok(seven)
    ///     })
    ///     .await?;
    /// assert_eq!(seven, 7);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of the block, a rejection, a [`QueryTimedOut`](crate::QueryTimedOut).
    pub async fn run<T, F: Future<Output = sqlx::Result<T>>>(
        &self,
        operation: impl FnOnce(Pool<DB>) -> F,
    ) -> sqlx::Result<T> {
        self.protect(|| operation(self.pool.clone())).await
    }

    /// Records the result of a statement that was made directly on a connection.
    ///
    /// It is recorded if the breaker admits a call now, and is never rejected.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> sqlx::Result<()> {
    /// # use halfopen_sqlx::ProtectedPool;
    /// # let pool = ProtectedPool::named("orders", sqlx::SqlitePool::connect("sqlite::memory:").await?);
    /// let mut connection = pool.acquire().await?;
    /// let result = sqlx::query("SELECT 1").execute(&mut *connection).await;
    /// pool.record(&result);
    /// assert_eq!(pool.breaker().snapshot().totals.successes, 2);
    /// # Ok(()) }
    /// ```
    pub fn record<T>(&self, result: &sqlx::Result<T>) {
        if let Some(permit) = halfopen::adapter::acquire_if_permitted(&self.breaker) {
            permit.settle(result, &self.classify);
        }
    }

    /// Makes the health check's query, or a ping, within the query timeout. The breaker neither rejects it nor records it.
    ///
    /// For a monitor that also runs while the breaker is open.
    ///
    /// # Errors
    ///
    /// The errors of the pool and of the server, a [`QueryTimedOut`](crate::QueryTimedOut).
    pub async fn health_check(&self) -> sqlx::Result<()>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        within(self.query_timeout, async {
            let mut connection = self.pool.acquire().await?;
            match &self.health_check_query {
                Some(query) => connection.execute(query.clone()).await.map(drop),
                None => connection.ping().await,
            }
        })
        .await
    }

    pub(crate) fn classifier(&self) -> &SqlxClassify {
        &self.classify
    }

    pub(crate) fn limit(&self) -> Option<Duration> {
        self.query_timeout
    }

    /// Makes one call, through the breaker and within the limit.
    pub(crate) async fn protect<T, F: Future<Output = sqlx::Result<T>>>(
        &self,
        call: impl FnOnce() -> F,
    ) -> sqlx::Result<T> {
        let result = self.breaker.call_with(|| within(self.query_timeout, call()), &self.classify).await;
        result.map_err(not_made)
    }
}

pub(crate) async fn within<T>(
    limit: Option<Duration>,
    result: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    match limit {
        None => result.await,
        Some(limit) => tokio::time::timeout(limit, result).await.unwrap_or_else(|_| Err(timed_out(limit))),
    }
}

pub(crate) fn not_made(error: CircuitBreakerError<sqlx::Error>) -> sqlx::Error {
    match error {
        CircuitBreakerError::Inner(error) => error,
        CircuitBreakerError::Rejected(not_made) => rejected(not_made),
    }
}

/// Whether errors of a database can be classified: those of MySQL have a number, which only the driver's type has.
const fn is_supported(database: &str) -> bool {
    cfg!(feature = "mysql") || !matches!(database.as_bytes(), b"MySQL")
}

// Not derived, which would require a database that can be cloned.
impl<DB: Database> Clone for ProtectedPool<DB> {
    fn clone(&self) -> Self {
        ProtectedPool {
            pool: self.pool.clone(),
            breaker: self.breaker.clone(),
            classify: self.classify.clone(),
            query_timeout: self.query_timeout,
            health_check_query: self.health_check_query.clone(),
        }
    }
}

impl<DB: Database> fmt::Debug for ProtectedPool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedPool")
            .field("pool", &self.pool)
            .field("breaker", &self.breaker)
            .field("query_timeout", &self.query_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mysql_needs_its_feature_and_no_other_database_does() {
        assert_eq!(is_supported("MySQL"), cfg!(feature = "mysql"));
        assert!(["PostgreSQL", "SQLite", "Any"].into_iter().all(is_supported));
    }
}
