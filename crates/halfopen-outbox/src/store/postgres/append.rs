use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{Postgres, Transaction};

use super::dead::take_dead_letters;
use super::rows::{item, lane_of, millis, signed, unsigned};
use super::tally::Tally;
use super::{PostgresStore, commit, error_of, lane_states};
use crate::item::Item;
use crate::limits::{Limits, Overflow};
use crate::store::{AppendOutcome, Appended, Dropped, LaneState, StoreError};
use crate::timestamp::Timestamp;

impl PostgresStore {
    pub(super) async fn append_items(
        &self,
        items: Vec<Item>,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let mut transaction = self.begin().await?;
        let tally = Tally::lock(&mut transaction).await.map_err(error_of)?;
        let size = items.iter().map(Item::size).sum();
        let appended = if tally.has_room(&limits, items.len() as u64, size)
            && !has_duplicates(&mut transaction, &items).await.map_err(error_of)?
        {
            append_all(&mut transaction, tally, &items, now).await
        } else {
            append_slow(&mut transaction, tally, items, limits, now).await
        };
        let appended = appended.map_err(error_of)?;
        commit(transaction).await?;
        Ok(appended)
    }
}

/// Whether a key occurs twice, among the items or in the store.
pub(super) async fn has_duplicates(
    transaction: &mut Transaction<'_, Postgres>,
    items: &[Item],
) -> Result<bool, sqlx::Error> {
    let keys: HashSet<&str> = items.iter().map(Item::idempotency_key).collect();
    if keys.len() < items.len() {
        return Ok(true);
    }
    let keys: Vec<&str> = keys.into_iter().collect();
    let sql = "SELECT EXISTS (SELECT 1 FROM halfopen_outbox_items WHERE key = ANY ($1))";
    sqlx::query_scalar(sql).bind(keys).fetch_one(&mut **transaction).await
}

/// Appends items for which there is room, and whose keys are new.
async fn append_all(
    transaction: &mut Transaction<'_, Postgres>,
    mut tally: Tally,
    items: &[Item],
    now: Timestamp,
) -> Result<Appended, sqlx::Error> {
    insert(transaction, &mut tally, items, now).await?;
    tally.write(transaction).await?;
    let lanes: HashSet<Arc<str>> = items.iter().map(|item| Arc::clone(item.shared_lane())).collect();
    let mut lanes: Vec<_> = lanes.into_iter().map(|lane| LaneState { lane, has_items: true }).collect();
    lanes.sort();
    Ok(Appended {
        outcomes: vec![AppendOutcome::Stored; items.len()],
        dropped: Vec::new(),
        lanes,
        totals: tally.totals(transaction).await?,
    })
}

/// Appends items one after the other, where keys occur twice or there may be no room.
#[cold]
async fn append_slow(
    transaction: &mut Transaction<'_, Postgres>,
    mut tally: Tally,
    items: Vec<Item>,
    limits: Limits,
    now: Timestamp,
) -> Result<Appended, sqlx::Error> {
    let (mut outcomes, mut dropped) = (Vec::new(), Vec::new());
    let mut lanes: HashSet<Arc<str>> = items.iter().map(|item| Arc::clone(item.shared_lane())).collect();
    for item in items {
        outcomes.push(append_one(transaction, &mut tally, item, limits, now, &mut dropped).await?);
    }
    tally.write(transaction).await?;
    let waited = dropped.iter().filter(|dropped| !dropped.dead_letter);
    lanes.extend(waited.map(|dropped| Arc::clone(dropped.item.shared_lane())));
    super::settle::forget_empty_lanes(transaction, &lanes).await?;
    let (lanes, totals) = (lane_states(transaction, lanes).await?, tally.totals(transaction).await?);
    Ok(Appended { outcomes, dropped, lanes, totals })
}

async fn append_one(
    transaction: &mut Transaction<'_, Postgres>,
    tally: &mut Tally,
    item: Item,
    limits: Limits,
    now: Timestamp,
    dropped: &mut Vec<Dropped>,
) -> Result<AppendOutcome, sqlx::Error> {
    if has_duplicates(transaction, std::slice::from_ref(&item)).await? {
        return Ok(AppendOutcome::Duplicate);
    }
    if !limits.permit(1, item.size()) {
        return Ok(AppendOutcome::Full);
    }
    while !tally.has_room(&limits, 1, item.size()) {
        match limits.overflow {
            Overflow::Reject => return Ok(AppendOutcome::Full),
            Overflow::DropOldest => dropped.extend(drop_oldest(transaction, tally).await?),
        }
    }
    insert(transaction, tally, &[item], now).await?;
    Ok(AppendOutcome::Stored)
}

/// Inserts items whose keys are new, with a row for their lanes.
pub(super) async fn insert(
    transaction: &mut Transaction<'_, Postgres>,
    tally: &mut Tally,
    items: &[Item],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let ids: Vec<i64> = items.iter().map(|item| signed(tally.add(item))).collect();
    let lanes: Vec<&str> = items.iter().map(Item::lane_name).collect();
    let keys: Vec<&str> = items.iter().map(Item::idempotency_key).collect();
    let payloads: Vec<&[u8]> = items.iter().map(|item| &**item.payload()).collect();
    let sizes: Vec<i64> = items.iter().map(|item| signed(item.size())).collect();
    let sql = "INSERT INTO halfopen_outbox_items (id, lane, key, payload, size, stored_at)
        SELECT id, lane, key, payload, size, $6
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[])
            AS new (id, lane, key, payload, size)";
    let query = sqlx::query(sql).bind(ids).bind(&lanes).bind(keys).bind(payloads).bind(sizes);
    query.bind(millis(now)).execute(&mut **transaction).await?;
    let sql =
        "INSERT INTO halfopen_outbox_lanes (lane) SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(lanes).execute(&mut **transaction).await.map(drop)
}

async fn drop_oldest(
    transaction: &mut Transaction<'_, Postgres>,
    tally: &mut Tally,
) -> Result<Option<Dropped>, sqlx::Error> {
    let sql = "SELECT min(id) FROM halfopen_outbox_dead_letters";
    let oldest: Option<i64> = sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?;
    if let Some(id) = oldest.and_then(|id| u64::try_from(id).ok()) {
        let letters = take_dead_letters(transaction, tally, [id]).await?;
        return Ok(letters.into_iter().next().map(|item| Dropped { item, dead_letter: true }));
    }
    let sql = "DELETE FROM halfopen_outbox_items WHERE id = (SELECT min(id) FROM halfopen_outbox_items)
        RETURNING lane, key, payload, size";
    let Some(row) = sqlx::query(sql).fetch_optional(&mut **transaction).await? else {
        return Ok(None);
    };
    tally.items -= 1;
    tally.bytes -= unsigned(&row, "size")?;
    Ok(Some(Dropped { item: item(&row, lane_of(&row)?)?, dead_letter: false }))
}
