use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures_core::future::BoxFuture;
use halfopen::Classify;
use halfopen::adapter::HeldPermit;
use sqlx::{Acquire, Database, Transaction};

use crate::classify::SqlxClassify;
use crate::error::rejected;
use crate::pool::{ProtectedPool, within};

/// A transaction that is one call of the breaker, from its begin to its commit or rollback.
///
/// Created by [`ProtectedPool::begin`]. Statements are made on `&mut *transaction`, directly with the driver:
/// [`record`](Self::record) ends the call with the failure of one. A transaction that is dropped is rolled back, and
/// recorded as abandoned.
///
/// A transaction that has begun can always end: the breaker rejects neither commit nor rollback. Both are within the query timeout
/// of the pool. While the breaker is half-open, a transaction holds a probe's slot until its end.
#[must_use = "a transaction is rolled back when it is dropped"]
pub struct ProtectedTransaction<DB: Database> {
    transaction: Transaction<'static, DB>,
    // `None` once a statement has ended the call.
    call: Option<HeldPermit>,
    classify: SqlxClassify,
    limit: Option<Duration>,
}

impl<DB: Database> ProtectedTransaction<DB> {
    /// Begins a transaction as a call that lasts until its end, or fails with it.
    pub(crate) async fn begin(
        pool: &ProtectedPool<DB>,
        begun: impl Future<Output = sqlx::Result<Transaction<'static, DB>>>,
    ) -> sqlx::Result<Self> {
        let call = HeldPermit::new(pool.breaker().try_acquire_owned().map_err(rejected)?);
        let (classify, limit) = (pool.classifier().clone(), pool.limit());
        match within(limit, begun).await {
            Ok(transaction) => Ok(ProtectedTransaction { transaction, call: Some(call), classify, limit }),
            Err(error) => settle(Some(call), Err(error), &classify),
        }
    }

    /// Ends the call with the result of a statement, if that is a failure. What comes after it is not recorded.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> sqlx::Result<()> {
    /// # use halfopen_sqlx::ProtectedPool;
    /// # let pool = ProtectedPool::named("orders", sqlx::SqlitePool::connect("sqlite::memory:").await?);
    /// let mut transaction = pool.begin().await?;
    /// let result = sqlx::query("SELECT 7").execute(&mut *transaction).await;
    /// transaction.record(&result);
    /// result?;
    /// transaction.commit().await?;
    /// assert_eq!(pool.breaker().snapshot().totals.successes, 1);
    /// # Ok(()) }
    /// ```
    pub fn record<T>(&mut self, result: &sqlx::Result<T>) {
        if self.classify.classify(result).is_failure()
            && let Some(permit) = self.call.take()
        {
            permit.settle(result, &self.classify);
        }
    }

    /// Commits the transaction, and records the result.
    ///
    /// `Ok` does not prove that there is anything new to read: PostgreSQL answers the commit of an aborted transaction,
    /// which rolls back, with success. An error of the connection or a timeout does not prove the opposite: the commit
    /// may have been made.
    ///
    /// # Errors
    ///
    /// The errors of the server, a [`QueryTimedOut`](crate::QueryTimedOut).
    pub async fn commit(self) -> sqlx::Result<()> {
        let result = within(self.limit, self.transaction.commit()).await;
        settle(self.call, result, &self.classify)
    }

    /// Rolls the transaction back, and records the result.
    ///
    /// # Errors
    ///
    /// The errors of the server, a [`QueryTimedOut`](crate::QueryTimedOut).
    pub async fn rollback(self) -> sqlx::Result<()> {
        let result = within(self.limit, self.transaction.rollback()).await;
        settle(self.call, result, &self.classify)
    }
}

/// Ends the call with this result, unless a statement has.
fn settle<T>(call: Option<HeldPermit>, result: sqlx::Result<T>, classify: &SqlxClassify) -> sqlx::Result<T> {
    if let Some(permit) = call {
        permit.settle(&result, classify);
    }
    result
}

impl<DB: Database> Deref for ProtectedTransaction<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.transaction
    }
}

impl<DB: Database> DerefMut for ProtectedTransaction<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.transaction
    }
}

impl<DB: Database> AsMut<DB::Connection> for ProtectedTransaction<DB> {
    fn as_mut(&mut self) -> &mut DB::Connection {
        &mut self.transaction
    }
}

/// A transaction inside this one is a savepoint.
impl<'t, DB: Database> Acquire<'t> for &'t mut ProtectedTransaction<DB> {
    type Database = DB;
    type Connection = &'t mut DB::Connection;

    fn acquire(self) -> BoxFuture<'t, sqlx::Result<Self::Connection>> {
        Acquire::acquire(&mut self.transaction)
    }

    fn begin(self) -> BoxFuture<'t, sqlx::Result<Transaction<'t, DB>>> {
        Acquire::begin(&mut self.transaction)
    }
}

impl<DB: Database> fmt::Debug for ProtectedTransaction<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedTransaction").field("limit", &self.limit).finish_non_exhaustive()
    }
}
