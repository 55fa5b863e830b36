//! Rows and values.

use std::sync::Arc;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::item::Item;
use crate::store::{DeadLetter, Entry, LaneStatus};
use crate::timestamp::Timestamp;

pub(super) fn entry(row: &PgRow, lane: &Arc<str>) -> Result<Entry, sqlx::Error> {
    Ok(Entry {
        id: unsigned(row, "id")?,
        item: item(row, Arc::clone(lane))?,
        attempts: attempts(row)?,
        stored_at: Timestamp::from_millis(unsigned(row, "stored_at")?),
    })
}

pub(super) fn item(row: &PgRow, lane: Arc<str>) -> Result<Item, sqlx::Error> {
    let (key, payload): (String, Vec<u8>) = (row.try_get("key")?, row.try_get("payload")?);
    Ok(Item::new(payload).lane(lane).key(key))
}

pub(super) fn lane_of(row: &PgRow) -> Result<Arc<str>, sqlx::Error> {
    row.try_get::<String, _>("lane").map(Arc::from)
}

pub(super) fn lane_status(row: &PgRow) -> Result<LaneStatus, sqlx::Error> {
    let last_error: Option<String> = row.try_get("last_error")?;
    Ok(LaneStatus {
        lane: lane_of(row)?,
        items: unsigned(row, "items")?,
        oldest: Timestamp::from_millis(unsigned(row, "oldest")?),
        attempts: attempts(row)?,
        last_error: last_error.map(Arc::from),
    })
}

pub(super) fn dead_letter(row: &PgRow) -> Result<DeadLetter, sqlx::Error> {
    let error: String = row.try_get("error")?;
    Ok(DeadLetter {
        id: unsigned(row, "id")?,
        item: item(row, lane_of(row)?)?,
        attempts: attempts(row)?,
        error: error.into(),
        stored_at: Timestamp::from_millis(unsigned(row, "stored_at")?),
        dead_at: Timestamp::from_millis(unsigned(row, "dead_at")?),
    })
}

pub(super) fn unsigned(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn attempts(row: &PgRow) -> Result<u32, sqlx::Error> {
    unsigned(row, "attempts").map(|attempts| u32::try_from(attempts).unwrap_or(u32::MAX))
}

/// The form of a number in the database, whose integers have a sign. No limit permits so many bytes or items.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn millis(time: Timestamp) -> i64 {
    signed(time.as_millis())
}

pub(super) fn ids(ids: impl IntoIterator<Item = u64>) -> Vec<i64> {
    ids.into_iter().map(signed).collect()
}
