//! The statements of a transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{Postgres, Transaction};

use crate::item::Item;
use crate::store::sql::{Columns, Outcome, Statements, Taken, Tally, lane_status, rows_limit, signed, taken};
use crate::store::{LaneState, LaneStatus, Settlement, Then};
use crate::timestamp::Timestamp;

impl Statements for Transaction<'_, Postgres> {
    async fn read_tally(&mut self) -> Outcome<Tally> {
        let sql = "SELECT last_id, items, dead_letters, bytes FROM halfopen_outbox_tally";
        Tally::of(&sqlx::query(sql).fetch_one(&mut **self).await?)
    }

    async fn lock_tally(&mut self) -> Outcome<Tally> {
        let sql = "SELECT last_id, items, dead_letters, bytes FROM halfopen_outbox_tally FOR UPDATE";
        Tally::of(&sqlx::query(sql).fetch_one(&mut **self).await?)
    }

    async fn write_tally(&mut self, tally: Tally) -> Outcome<()> {
        let sql = "UPDATE halfopen_outbox_tally SET last_id = $1, items = $2, dead_letters = $3, bytes = $4";
        let query = tally.values().into_iter().fold(sqlx::query(sql), |query, value| query.bind(value));
        query.execute(&mut **self).await.map(drop)
    }

    async fn oldest(&mut self) -> Outcome<Option<Timestamp>> {
        let sql = "SELECT stored_at FROM halfopen_outbox_items ORDER BY id LIMIT 1";
        sqlx::query(sql).fetch_optional(&mut **self).await?.map(|row| row.time("stored_at")).transpose()
    }

    async fn is_stored(&mut self, item: &Item) -> Outcome<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM halfopen_outbox_items WHERE key = $1)";
        sqlx::query_scalar(sql).bind(item.idempotency_key()).fetch_one(&mut **self).await
    }

    // With a row for each of their lanes.
    async fn insert(&mut self, first: u64, items: &[Item], now: Timestamp) -> Outcome<u64> {
        let ids: Vec<i64> = (first..).map(signed).take(items.len()).collect();
        let lanes: Vec<&str> = items.iter().map(Item::lane_name).collect();
        let keys: Vec<&str> = items.iter().map(Item::idempotency_key).collect();
        let payloads: Vec<&[u8]> = items.iter().map(|item| &**item.payload()).collect();
        let sizes: Vec<i64> = items.iter().map(|item| signed(item.size())).collect();
        let sql = "INSERT INTO halfopen_outbox_items (id, lane, key, payload, size, stored_at)
            SELECT id, lane, key, payload, size, $6
            FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[])
                AS new (id, lane, key, payload, size)
            ON CONFLICT (key) DO NOTHING";
        let query = sqlx::query(sql).bind(ids).bind(&lanes).bind(keys).bind(payloads).bind(sizes);
        let inserted = query.bind(millis(now)).execute(&mut **self).await?.rows_affected();
        let sql = "INSERT INTO halfopen_outbox_lanes (lane) SELECT DISTINCT unnest($1::text[])
            ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(lanes).execute(&mut **self).await?;
        Ok(inserted)
    }

    async fn take_back(&mut self, first: u64) -> Outcome<()> {
        let sql = "DELETE FROM halfopen_outbox_items WHERE id >= $1";
        sqlx::query(sql).bind(signed(first)).execute(&mut **self).await.map(drop)
    }

    async fn take_oldest_item(&mut self) -> Outcome<Option<Taken>> {
        let sql = "DELETE FROM halfopen_outbox_items WHERE id = (SELECT min(id) FROM halfopen_outbox_items)
            RETURNING lane, key, payload, size";
        sqlx::query(sql).fetch_optional(&mut **self).await?.map(|row| taken(&row)).transpose()
    }

    async fn oldest_dead_letter(&mut self) -> Outcome<Option<u64>> {
        let sql = "SELECT min(id) FROM halfopen_outbox_dead_letters";
        let oldest: Option<i64> = sqlx::query_scalar(sql).fetch_one(&mut **self).await?;
        Ok(oldest.and_then(|id| u64::try_from(id).ok()))
    }

    async fn take_dead_letters(&mut self, ids: &[u64]) -> Outcome<Vec<Taken>> {
        let sql =
            "DELETE FROM halfopen_outbox_dead_letters WHERE id = ANY ($1) RETURNING lane, key, payload, size";
        let rows = sqlx::query(sql).bind(id_list(ids)).fetch_all(&mut **self).await?;
        rows.iter().map(taken).collect()
    }

    async fn remove_items(&mut self, ids: &[u64]) -> Outcome<Vec<u64>> {
        let sql = "DELETE FROM halfopen_outbox_items WHERE id = ANY ($1) RETURNING size";
        let rows = sqlx::query(sql).bind(id_list(ids)).fetch_all(&mut **self).await?;
        rows.iter().map(|row| row.unsigned("size")).collect()
    }

    async fn note_failure(&mut self, id: u64, error: &str, counted: bool) -> Outcome<()> {
        let sql = "UPDATE halfopen_outbox_items SET attempts = attempts + $1, last_error = $2 WHERE id = $3";
        let query = sqlx::query(sql).bind(i64::from(counted)).bind(error).bind(signed(id));
        query.execute(&mut **self).await.map(drop)
    }

    async fn set_aside(&mut self, id: u64, error: &str, now: Timestamp) -> Outcome<u64> {
        let sql = "WITH dead AS (DELETE FROM halfopen_outbox_items WHERE id = $3 RETURNING *)
            INSERT INTO halfopen_outbox_dead_letters
            SELECT id, lane, key, payload, size, stored_at, attempts + 1, $1, $2 FROM dead";
        let query = sqlx::query(sql).bind(error).bind(millis(now)).bind(signed(id));
        query.execute(&mut **self).await.map(|done| done.rows_affected())
    }

    async fn change_claim(&mut self, settlement: &Settlement) -> Outcome<()> {
        let (worker, free_at) = match settlement.then {
            Then::Keep(until) => (Some(&*settlement.worker), until),
            Then::Free(at) => (None, at),
        };
        let sql =
            "UPDATE halfopen_outbox_lanes SET worker = $1, free_at = $2 WHERE lane = $3 AND worker = $4";
        let query = sqlx::query(sql).bind(worker).bind(millis(free_at));
        query.bind(&*settlement.lane).bind(&*settlement.worker).execute(&mut **self).await.map(drop)
    }

    async fn forget_empty_lanes(&mut self, lanes: &BTreeSet<Arc<str>>) -> Outcome<()> {
        let lanes: Vec<&str> = lanes.iter().map(|lane| &**lane).collect();
        let sql = "DELETE FROM halfopen_outbox_lanes AS lanes WHERE lane = ANY ($1)
            AND NOT EXISTS (SELECT 1 FROM halfopen_outbox_items AS items WHERE items.lane = lanes.lane)";
        sqlx::query(sql).bind(lanes).execute(&mut **self).await.map(drop)
    }

    async fn lane_states(&mut self, lanes: BTreeSet<Arc<str>>) -> Outcome<Vec<LaneState>> {
        let names: Vec<&str> = lanes.iter().map(|lane| &**lane).collect();
        let sql = "SELECT EXISTS (SELECT 1 FROM halfopen_outbox_items AS items WHERE items.lane = names.lane)
            FROM unnest($1::text[]) WITH ORDINALITY AS names (lane, place) ORDER BY place";
        let states: Vec<bool> = sqlx::query_scalar(sql).bind(names).fetch_all(&mut **self).await?;
        Ok(lanes.into_iter().zip(states).map(|(lane, has_items)| LaneState { lane, has_items }).collect())
    }

    async fn oldest_lanes(&mut self, limit: usize) -> Outcome<Vec<LaneStatus>> {
        let sql = "SELECT lane, items.stored_at AS oldest, attempts, last_error, counted.items AS items
            FROM (SELECT min(id) AS first, count(*) AS items FROM halfopen_outbox_items GROUP BY lane) AS counted
            JOIN halfopen_outbox_items AS items ON items.id = counted.first ORDER BY items.id LIMIT $1";
        let rows = sqlx::query(sql).bind(rows_limit(limit)).fetch_all(&mut **self).await?;
        rows.iter().map(lane_status).collect()
    }
}

pub(super) fn millis(time: Timestamp) -> i64 {
    signed(time.as_millis())
}

fn id_list(ids: &[u64]) -> Vec<i64> {
    ids.iter().copied().map(signed).collect()
}
