//! Rows and values.

use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, Row, Type};

use super::{Outcome, Taken};
use crate::item::Item;
use crate::store::{DeadLetter, Entry, LaneStatus};
use crate::timestamp::Timestamp;

/// The columns of a row, of whichever database.
pub(in crate::store) trait Columns {
    fn signed(&self, column: &'static str) -> Outcome<i64>;
    fn text(&self, column: &'static str) -> Outcome<String>;
    fn optional_text(&self, column: &'static str) -> Outcome<Option<String>>;
    fn bytes(&self, column: &'static str) -> Outcome<Vec<u8>>;

    fn unsigned(&self, column: &'static str) -> Outcome<u64> {
        u64::try_from(self.signed(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
    }

    fn time(&self, column: &'static str) -> Outcome<Timestamp> {
        self.unsigned(column).map(Timestamp::from_millis)
    }

    fn attempts(&self) -> Outcome<u32> {
        self.unsigned("attempts").map(|attempts| u32::try_from(attempts).unwrap_or(u32::MAX))
    }

    fn lane(&self) -> Outcome<Arc<str>> {
        self.text("lane").map(Arc::from)
    }
}

impl<R: Row> Columns for R
where
    &'static str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn signed(&self, column: &'static str) -> Outcome<i64> {
        self.try_get(column)
    }

    fn text(&self, column: &'static str) -> Outcome<String> {
        self.try_get(column)
    }

    fn optional_text(&self, column: &'static str) -> Outcome<Option<String>> {
        self.try_get(column)
    }

    fn bytes(&self, column: &'static str) -> Outcome<Vec<u8>> {
        self.try_get(column)
    }
}

pub(in crate::store) fn entry(row: &impl Columns, lane: &Arc<str>) -> Outcome<Entry> {
    Ok(Entry {
        id: row.unsigned("id")?,
        item: item(row, Arc::clone(lane))?,
        attempts: row.attempts()?,
        stored_at: row.time("stored_at")?,
    })
}

fn item(row: &impl Columns, lane: Arc<str>) -> Outcome<Item> {
    Ok(Item::new(row.bytes("payload")?).lane(lane).key(row.text("key")?))
}

pub(in crate::store) fn taken(row: &impl Columns) -> Outcome<Taken> {
    Ok(Taken { item: item(row, row.lane()?)?, size: row.unsigned("size")? })
}

pub(in crate::store) fn lane_status(row: &impl Columns) -> Outcome<LaneStatus> {
    Ok(LaneStatus {
        lane: row.lane()?,
        items: row.unsigned("items")?,
        oldest: row.time("oldest")?,
        attempts: row.attempts()?,
        last_error: row.optional_text("last_error")?.map(Arc::from),
    })
}

pub(in crate::store) fn dead_letter(row: &impl Columns) -> Outcome<DeadLetter> {
    Ok(DeadLetter {
        id: row.unsigned("id")?,
        item: item(row, row.lane()?)?,
        attempts: row.attempts()?,
        error: row.text("error")?.into(),
        stored_at: row.time("stored_at")?,
        dead_at: row.time("dead_at")?,
    })
}

/// The form of a number in a database, whose integers have a sign. No limit permits so many bytes or items.
pub(in crate::store) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A limit of rows, in the type of a database.
pub(in crate::store) fn rows_limit(limit: usize) -> i64 {
    signed(limit as u64)
}
