//! `&ProtectedPool` as an executor: each method makes one call of the pool.

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{Acquire, Database, Describe, Either, Execute, Executor, SqlStr, Transaction};

use crate::pool::{ProtectedPool, not_made};
use crate::stream::Within;

/// A future does what the pool's own does: it acquires a connection and calls the method of that. The box of the pool around
/// it is left out, so that a protected call allocates no more than a bare one.
impl<'p, DB: Database> Executor<'p> for &'_ ProtectedPool<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<DB::QueryResult>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let this = self.clone();
        Box::pin(async move {
            this.protect(|| async { this.inner().acquire().await?.execute(query).await }).await
        })
    }

    fn execute_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<DB::QueryResult>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        self.protect_stream(self.inner().execute_many(query))
    }

    fn fetch<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<DB::Row>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        self.protect_stream(self.inner().fetch(query))
    }

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, sqlx::Result<Either<DB::QueryResult, DB::Row>>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        self.protect_stream(self.inner().fetch_many(query))
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Vec<DB::Row>>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let this = self.clone();
        Box::pin(async move {
            this.protect(|| async { this.inner().acquire().await?.fetch_all(query).await }).await
        })
    }

    fn fetch_one<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<DB::Row>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let this = self.clone();
        Box::pin(async move {
            this.protect(|| async {
                let row = this.inner().acquire().await?.fetch_optional(query).await?;
                row.ok_or(sqlx::Error::RowNotFound)
            })
            .await
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<DB::Row>>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let this = self.clone();
        Box::pin(async move {
            this.protect(|| async { this.inner().acquire().await?.fetch_optional(query).await }).await
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<DB::Statement>>
    where
        'p: 'e,
    {
        let this = self.clone();
        Box::pin(async move {
            this.protect(|| async { this.inner().acquire().await?.prepare_with(sql, parameters).await }).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<DB>>>
    where
        'p: 'e,
    {
        let this = self.clone();
        Box::pin(
            async move { this.protect(|| async { this.inner().acquire().await?.describe(sql).await }).await },
        )
    }
}

/// A transaction that is begun by this trait has the client's own type: its begin is the call, and its commit is not
/// recorded. The methods of [`ProtectedPool`] with the same names take precedence where the type is known.
impl<'a, DB: Database> Acquire<'a> for &'_ ProtectedPool<DB> {
    type Database = DB;
    type Connection = PoolConnection<DB>;

    fn acquire(self) -> BoxFuture<'a, sqlx::Result<PoolConnection<DB>>> {
        let this = self.clone();
        Box::pin(async move { ProtectedPool::acquire(&this).await })
    }

    fn begin(self) -> BoxFuture<'a, sqlx::Result<Transaction<'a, DB>>> {
        let this = self.clone();
        Box::pin(async move { this.protect(|| this.inner().begin()).await })
    }
}

impl<DB: Database> ProtectedPool<DB> {
    /// Makes a stream one call, which ends with the first error or the end.
    fn protect_stream<'e, T: Send + 'e>(
        &self,
        items: BoxStream<'e, sqlx::Result<T>>,
    ) -> BoxStream<'e, sqlx::Result<T>> {
        let within = Within::new(self.limit(), items);
        let call = self.breaker().protect_stream_with(within, self.classifier().clone()).until_end();
        Box::pin(call.map_err(not_made))
    }
}
