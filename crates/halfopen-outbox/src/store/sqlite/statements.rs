//! The statements of a transaction.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use sqlx::SqliteConnection;

use crate::item::Item;
use crate::store::sql::{Columns, Outcome, Statements, Taken, Tally, lane_status, rows_limit, signed, taken};
use crate::store::{LaneState, LaneStatus};
use crate::timestamp::Timestamp;

/// The numbers of rows of an insert: a few, so that each is prepared once, and no list needs many.
const CHUNKS: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// The inserts with these numbers of rows.
///
/// `OR ROLLBACK`, because a statement of many rows that can fail on its own copies every page that it changes to a
/// temporary file first. A failure ends the transaction here anyway.
static INSERTS: LazyLock<[String; CHUNKS.len()]> = LazyLock::new(|| {
    CHUNKS.map(|rows| {
        let rows = vec!["(?, ?, ?, ?, ?, ?)"; rows].join(", ");
        format!(
            "INSERT OR ROLLBACK INTO items (id, lane, key, payload, size, stored_at) VALUES {rows}
                ON CONFLICT (key) DO NOTHING"
        )
    })
});

impl Statements for SqliteConnection {
    async fn read_tally(&mut self) -> Outcome<Tally> {
        let sql = "SELECT last_id, items, dead_letters, bytes FROM tally";
        Tally::of(&sqlx::query(sql).fetch_one(self).await?)
    }

    // A transaction that writes has the only lock that there is.
    async fn lock_tally(&mut self) -> Outcome<Tally> {
        self.read_tally().await
    }

    async fn write_tally(&mut self, tally: Tally) -> Outcome<()> {
        let sql = "UPDATE tally SET last_id = ?, items = ?, dead_letters = ?, bytes = ?";
        let query = tally.values().into_iter().fold(sqlx::query(sql), |query, value| query.bind(value));
        query.execute(self).await.map(drop)
    }

    async fn oldest(&mut self) -> Outcome<Option<Timestamp>> {
        let sql = "SELECT stored_at FROM items ORDER BY id LIMIT 1";
        sqlx::query(sql).fetch_optional(self).await?.map(|row| row.time("stored_at")).transpose()
    }

    async fn is_stored(&mut self, item: &Item) -> Outcome<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM items WHERE key = ?)";
        sqlx::query_scalar(sql).bind(Arc::clone(item.shared_key())).fetch_one(self).await
    }

    async fn insert(&mut self, first: u64, items: &[Item], now: Timestamp) -> Outcome<u64> {
        let (mut ids, mut inserted) = (first.., 0);
        for (sql, chunk) in inserts(items) {
            // The items first: at the end of a chunk, no identifier is taken for none.
            let query = chunk.iter().zip(ids.by_ref()).fold(sqlx::query(sql), |query, (item, id)| {
                query
                    .bind(signed(id))
                    .bind(Arc::clone(item.shared_lane()))
                    .bind(Arc::clone(item.shared_key()))
                    .bind(item.payload().to_vec())
                    .bind(signed(item.size()))
                    .bind(signed(now.as_millis()))
            });
            inserted += query.execute(&mut *self).await?.rows_affected();
        }
        Ok(inserted)
    }

    async fn take_back(&mut self, first: u64) -> Outcome<()> {
        sqlx::query("DELETE FROM items WHERE id >= ?").bind(signed(first)).execute(self).await.map(drop)
    }

    async fn take_oldest_item(&mut self) -> Outcome<Option<Taken>> {
        let sql =
            "DELETE FROM items WHERE id = (SELECT min(id) FROM items) RETURNING lane, key, payload, size";
        sqlx::query(sql).fetch_optional(self).await?.map(|row| taken(&row)).transpose()
    }

    async fn oldest_dead_letter(&mut self) -> Outcome<Option<u64>> {
        let oldest: Option<i64> =
            sqlx::query_scalar("SELECT min(id) FROM dead_letters").fetch_one(self).await?;
        Ok(oldest.and_then(|id| u64::try_from(id).ok()))
    }

    async fn take_dead_letters(&mut self, ids: &[u64]) -> Outcome<Vec<Taken>> {
        let sql = "DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?))
            RETURNING lane, key, payload, size";
        let rows = sqlx::query(sql).bind(id_list(ids)).fetch_all(self).await?;
        rows.iter().map(taken).collect()
    }

    async fn remove_items(&mut self, ids: &[u64]) -> Outcome<Vec<u64>> {
        let sql = "DELETE FROM items WHERE id IN (SELECT value FROM json_each(?)) RETURNING size";
        let rows = sqlx::query(sql).bind(id_list(ids)).fetch_all(self).await?;
        rows.iter().map(|row| row.unsigned("size")).collect()
    }

    async fn note_failure(&mut self, id: u64, error: &str, counted: bool) -> Outcome<()> {
        let sql = "UPDATE items SET attempts = attempts + ?, last_error = ? WHERE id = ?";
        let query = sqlx::query(sql).bind(counted).bind(error).bind(signed(id));
        query.execute(self).await.map(drop)
    }

    async fn set_aside(&mut self, id: u64, error: &str, now: Timestamp) -> Outcome<u64> {
        let sql = "INSERT INTO dead_letters
            SELECT id, lane, key, payload, size, stored_at, attempts + 1, ?, ? FROM items WHERE id = ?";
        let query = sqlx::query(sql).bind(error).bind(signed(now.as_millis())).bind(signed(id));
        let moved = query.execute(&mut *self).await?.rows_affected();
        sqlx::query("DELETE FROM items WHERE id = ?").bind(signed(id)).execute(self).await?;
        Ok(moved)
    }

    async fn lane_states(&mut self, lanes: BTreeSet<Arc<str>>) -> Outcome<Vec<LaneState>> {
        let mut states = Vec::new();
        for lane in lanes {
            let sql = "SELECT EXISTS (SELECT 1 FROM items WHERE lane = ?)";
            let has_items = sqlx::query_scalar(sql).bind(&*lane).fetch_one(&mut *self).await?;
            states.push(LaneState { lane, has_items });
        }
        Ok(states)
    }

    async fn oldest_lanes(&mut self, limit: usize) -> Outcome<Vec<LaneStatus>> {
        let sql = "SELECT lane, items.stored_at AS oldest, attempts, last_error, counted.items AS items
            FROM (SELECT min(id) AS first, count(*) AS items FROM items GROUP BY lane) AS counted
            JOIN items ON items.id = counted.first ORDER BY items.id LIMIT ?";
        let rows = sqlx::query(sql).bind(rows_limit(limit)).fetch_all(self).await?;
        rows.iter().map(lane_status).collect()
    }
}

/// Cuts items into pieces for which there is an insert.
fn inserts(mut rest: &[Item]) -> impl Iterator<Item = (&'static str, &[Item])> {
    std::iter::from_fn(move || {
        let place = CHUNKS.iter().position(|rows| *rows <= rest.len())?;
        let (chunk, others) = rest.split_at(CHUNKS[place]);
        rest = others;
        Some((&*INSERTS[place], chunk))
    })
}

/// A list of identifiers as an array of JSON, which one parameter can hold.
fn id_list(ids: &[u64]) -> String {
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    format!("[{}]", ids.join(","))
}
