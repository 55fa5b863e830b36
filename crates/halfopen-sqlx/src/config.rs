use halfopen_document::{Lint, Period, Section, group, scalar};
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, Database};

use crate::pool::ProtectedPool;

group! {
    /// The group `database` of a breaker: its pool.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    /// use halfopen_config::{Format, Loader};
    /// use halfopen_sqlx::{DatabaseKeys, ProtectedPool};
    /// use sqlx::Sqlite;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let document = "
    /// breakers:
    ///   orders:
    ///     template: database
    ///     database: { max_connections: 10, acquire_timeout: 2s, query_timeout: 3s }
    /// ";
    /// let loaded = Loader::new().section::<DatabaseKeys>().text("breakers.yaml", Format::Yaml, document).load()?;
    /// let settings = loaded.settings("orders");
    /// let keys = settings.get::<DatabaseKeys>().cloned().unwrap_or_default();
    ///
    /// let pool = keys.pool_options::<Sqlite>().connect_lazy("sqlite::memory:")?;
    /// let breaker = CircuitBreaker::new("orders", settings.config().clone());
    /// let pool = keys.apply(ProtectedPool::new(pool, breaker));
    /// assert_eq!(pool.inner().options().get_max_connections(), 10);
    /// # Ok(()) }
    /// ```
    DatabaseKeys, expected "a pool such as { max_connections: 10, query_timeout: 3s }"
    values {
        /// The number of connections that the pool keeps open.
        min_connections: u32 = scalar::count,
        /// The maximum number of connections.
        max_connections: u32 = scalar::positive,
        /// The longest wait for a connection, within the query timeout.
        acquire_timeout: Period = Period::read_seconds,
        /// The longest time that a call may take.
        query_timeout: Period = Period::read_seconds,
        /// The query of a health check.
        health_check_query: String = scalar::text,
    }
}

impl Section for DatabaseKeys {
    const KEY: &'static str = "database";

    fn lint(&self, lint: &mut Lint<'_>) {
        if let Some(max) = self.max_connections.as_ref().filter(|max| max.value == 0) {
            lint.error(max.origin(), |path| format!("`{path}` is 0, but must be at least 1"));
        }
        if let (Some(min), Some(max)) = (&self.min_connections, &self.max_connections)
            && min.value > max.value
        {
            lint.error(min.origin(), |path| {
                format!("`{path}` is {}, but must be at most `max_connections`, {}", min.value, max.value)
            });
        }
        for timeout in [&self.acquire_timeout, &self.query_timeout].into_iter().flatten() {
            if timeout.value.0.is_zero() {
                lint.error(timeout.origin(), |path| format!("`{path}` is 0s, but must be longer than zero"));
            }
        }
        if let (Some(acquire), Some(query)) = (&self.acquire_timeout, &self.query_timeout)
            && acquire.value >= query.value
        {
            lint.warn(acquire.origin(), |path| {
                format!(
                    "`{path}` is {}, and has no effect: `query_timeout` ends the wait after {}",
                    acquire.value, query.value
                )
            });
        }
    }
}

impl DatabaseKeys {
    /// Returns the options of a pool, with the client's defaults for what is not set.
    pub fn pool_options<DB: Database>(&self) -> PoolOptions<DB> {
        let mut options = PoolOptions::new();
        if let Some(min) = &self.min_connections {
            options = options.min_connections(min.value);
        }
        if let Some(max) = &self.max_connections {
            options = options.max_connections(max.value);
        }
        if let Some(timeout) = &self.acquire_timeout {
            options = options.acquire_timeout(timeout.value.0);
        }
        options
    }

    /// Sets the query timeout and the health check's query of a pool, as far as they are set.
    ///
    /// The query is the text of the document: whoever writes it decides what the database executes.
    pub fn apply<DB: Database>(&self, mut pool: ProtectedPool<DB>) -> ProtectedPool<DB> {
        if let Some(timeout) = &self.query_timeout {
            pool = pool.query_timeout(timeout.value.0);
        }
        if let Some(query) = &self.health_check_query {
            pool = pool.health_check_query(AssertSqlSafe(query.value.as_str()));
        }
        pool
    }
}
