use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::dead::take_dead_letters;
use super::tally::Tally;
use super::work::Work;
use super::{SqliteStore, item, lane_states, signed, unsigned};
use crate::item::Item;
use crate::limits::{Limits, Overflow};
use crate::store::{AppendOutcome, Appended, Dropped, LaneState, StoreError};
use crate::timestamp::Timestamp;

/// The numbers of rows of a statement: a few, so that all are prepared once.
const CHUNKS: [usize; 4] = [64, 16, 4, 1];

impl SqliteStore {
    pub(super) async fn append_items(
        &self,
        items: Vec<Item>,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let failed = |error| self.error(error);
        let mut work = Work::write(&self.pool).await.map_err(failed)?;
        let connection = work.connection();
        let tally = Tally::read(connection).await.map_err(failed)?;
        let size = items.iter().map(Item::size).sum();
        let appended = if tally.has_room(&limits, items.len() as u64, size)
            && !has_duplicates(connection, &items).await.map_err(failed)?
        {
            append_all(connection, tally, &items, now).await
        } else {
            append_slow(connection, tally, items, limits, now).await
        };
        let appended = appended.map_err(failed)?;
        work.commit().await.map_err(failed)?;
        for state in appended.lanes.iter().filter(|state| !state.has_items) {
            self.leader().forget(&state.lane);
        }
        Ok(appended)
    }
}

/// Whether a key occurs twice, among the items or in the store.
async fn has_duplicates(connection: &mut SqliteConnection, items: &[Item]) -> Result<bool, sqlx::Error> {
    let keys: HashSet<&str> = items.iter().map(Item::idempotency_key).collect();
    if keys.len() < items.len() {
        return Ok(true);
    }
    for chunk in chunks(items) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT EXISTS (SELECT 1 FROM items WHERE key IN (");
        let mut keys = query.separated(", ");
        for item in chunk {
            keys.push_bind(item.idempotency_key().to_owned());
        }
        query.push("))");
        if query.build_query_scalar().fetch_one(&mut *connection).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Appends items for which there is room, and whose keys are new.
async fn append_all(
    connection: &mut SqliteConnection,
    mut tally: Tally,
    items: &[Item],
    now: Timestamp,
) -> Result<Appended, sqlx::Error> {
    for chunk in chunks(items) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO items (id, lane, key, payload, size, stored_at) ");
        query.push_values(chunk, |mut row, item| {
            row.push_bind(signed(tally.add(item)))
                .push_bind(item.lane_name().to_owned())
                .push_bind(item.idempotency_key().to_owned())
                .push_bind(item.payload().to_vec())
                .push_bind(signed(item.size()))
                .push_bind(signed(now.as_millis()));
        });
        query.build().execute(&mut *connection).await?;
    }
    tally.write(connection).await?;
    let lanes: HashSet<Arc<str>> = items.iter().map(|item| Arc::clone(item.shared_lane())).collect();
    let mut lanes: Vec<_> = lanes.into_iter().map(|lane| LaneState { lane, has_items: true }).collect();
    lanes.sort();
    Ok(Appended {
        outcomes: vec![AppendOutcome::Stored; items.len()],
        dropped: Vec::new(),
        lanes,
        totals: tally.totals(connection).await?,
    })
}

/// Appends items one after the other, where keys occur twice or there may be no room.
#[cold]
async fn append_slow(
    connection: &mut SqliteConnection,
    mut tally: Tally,
    items: Vec<Item>,
    limits: Limits,
    now: Timestamp,
) -> Result<Appended, sqlx::Error> {
    let (mut outcomes, mut dropped) = (Vec::new(), Vec::new());
    let mut lanes: HashSet<Arc<str>> = items.iter().map(|item| Arc::clone(item.shared_lane())).collect();
    for item in items {
        outcomes.push(append_one(connection, &mut tally, &item, limits, now, &mut dropped).await?);
    }
    tally.write(connection).await?;
    let waited = dropped.iter().filter(|dropped| !dropped.dead_letter);
    lanes.extend(waited.map(|dropped| Arc::clone(dropped.item.shared_lane())));
    let (lanes, totals) = (lane_states(connection, lanes).await?, tally.totals(connection).await?);
    Ok(Appended { outcomes, dropped, lanes, totals })
}

async fn append_one(
    connection: &mut SqliteConnection,
    tally: &mut Tally,
    item: &Item,
    limits: Limits,
    now: Timestamp,
    dropped: &mut Vec<Dropped>,
) -> Result<AppendOutcome, sqlx::Error> {
    if is_stored(connection, item).await? {
        return Ok(AppendOutcome::Duplicate);
    }
    if !limits.permit(1, item.size()) {
        return Ok(AppendOutcome::Full);
    }
    while !tally.has_room(&limits, 1, item.size()) {
        match limits.overflow {
            Overflow::Reject => return Ok(AppendOutcome::Full),
            Overflow::DropOldest => dropped.extend(drop_oldest(connection, tally).await?),
        }
    }
    insert(connection, tally, item, now).await?;
    Ok(AppendOutcome::Stored)
}

pub(super) async fn is_stored(connection: &mut SqliteConnection, item: &Item) -> Result<bool, sqlx::Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM items WHERE key = ?)";
    sqlx::query_scalar(sql).bind(item.idempotency_key()).fetch_one(&mut *connection).await
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    tally: &mut Tally,
    item: &Item,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO items (id, lane, key, payload, size, stored_at) VALUES (?, ?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(signed(tally.add(item)))
        .bind(item.lane_name())
        .bind(item.idempotency_key())
        .bind(&**item.payload())
        .bind(signed(item.size()))
        .bind(signed(now.as_millis()))
        .execute(&mut *connection)
        .await
        .map(drop)
}

async fn drop_oldest(
    connection: &mut SqliteConnection,
    tally: &mut Tally,
) -> Result<Option<Dropped>, sqlx::Error> {
    let oldest: Option<i64> =
        sqlx::query_scalar("SELECT min(id) FROM dead_letters").fetch_one(&mut *connection).await?;
    if let Some(id) = oldest {
        let letters = take_dead_letters(connection, tally, &[id as u64]).await?;
        return Ok(letters.into_iter().next().map(|item| Dropped { item, dead_letter: true }));
    }
    let sql = "DELETE FROM items WHERE id = (SELECT min(id) FROM items) RETURNING lane, key, payload, size";
    let Some(row) = sqlx::query(sql).fetch_optional(&mut *connection).await? else {
        return Ok(None);
    };
    tally.items -= 1;
    tally.bytes -= unsigned(&row, "size")?;
    let lane: String = sqlx::Row::try_get(&row, "lane")?;
    Ok(Some(Dropped { item: item(&row, lane.into())?, dead_letter: false }))
}

/// Cuts a list into pieces of few lengths.
fn chunks<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = CHUNKS.into_iter().find(|length| *length <= rest.len())?;
        let (chunk, others) = rest.split_at(length);
        rest = others;
        Some(chunk)
    })
}
