use sqlx::SqliteConnection;

use super::{signed, unsigned};
use crate::item::Item;
use crate::limits::Limits;
use crate::store::Totals;
use crate::timestamp::Timestamp;

/// The counts of a store. Every transaction that writes reads them first and writes them last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// The last identifier.
    pub(super) last_id: u64,
    pub(super) items: u64,
    pub(super) dead_letters: u64,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Tally, sqlx::Error> {
        let sql = "SELECT last_id, items, dead_letters, bytes FROM tally";
        let row = sqlx::query(sql).fetch_one(&mut *connection).await?;
        Ok(Tally {
            last_id: unsigned(&row, "last_id")?,
            items: unsigned(&row, "items")?,
            dead_letters: unsigned(&row, "dead_letters")?,
            bytes: unsigned(&row, "bytes")?,
        })
    }

    pub(super) async fn write(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let sql = "UPDATE tally SET last_id = ?, items = ?, dead_letters = ?, bytes = ?";
        let mut query = sqlx::query(sql);
        for value in [self.last_id, self.items, self.dead_letters, self.bytes] {
            query = query.bind(signed(value));
        }
        query.execute(&mut *connection).await.map(drop)
    }

    pub(super) async fn totals(self, connection: &mut SqliteConnection) -> Result<Totals, sqlx::Error> {
        let sql = "SELECT stored_at FROM items ORDER BY id LIMIT 1";
        let row = sqlx::query(sql).fetch_optional(&mut *connection).await?;
        let oldest = row.map(|row| unsigned(&row, "stored_at")).transpose()?;
        Ok(Totals {
            items: self.items,
            dead_letters: self.dead_letters,
            bytes: self.bytes,
            oldest: oldest.map(Timestamp::from_millis),
        })
    }

    /// Whether this many items of this size fit.
    pub(super) fn has_room(self, limits: &Limits, items: u64, bytes: u64) -> bool {
        limits.permit(self.items + self.dead_letters + items, self.bytes + bytes)
    }

    /// Counts a new item, and returns its identifier.
    pub(super) fn add(&mut self, item: &Item) -> u64 {
        self.last_id += 1;
        self.items += 1;
        self.bytes += item.size();
        self.last_id
    }
}
