use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool};

/// A transaction.
///
/// Unlike that of sqlx, it gives its connection back only after a commit, and closes it otherwise. SQLite ends a
/// transaction by itself after some errors, such as that of a full disk; sqlx does not notice, and the connection
/// could never begin another one. The same closing rolls back a transaction that is dropped half-way.
pub(super) struct Work(Option<PoolConnection<Sqlite>>);

impl Work {
    /// Begins a transaction that only reads: all its statements see a single state.
    pub(super) async fn read(pool: &SqlitePool) -> Result<Work, sqlx::Error> {
        Work::begin(pool, "BEGIN").await
    }

    /// Begins a transaction that writes: it waits for other writers now, so that none of its statements can fail for
    /// them.
    pub(super) async fn write(pool: &SqlitePool) -> Result<Work, sqlx::Error> {
        Work::begin(pool, "BEGIN IMMEDIATE").await
    }

    async fn begin(pool: &SqlitePool, begin: &'static str) -> Result<Work, sqlx::Error> {
        let mut work = Work(Some(pool.acquire().await?));
        sqlx::query(begin).execute(work.connection()).await?;
        Ok(work)
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        self.0.as_mut().expect("it is taken by the commit and by the drop")
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("COMMIT").execute(self.connection()).await?;
        drop(self.0.take());
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
