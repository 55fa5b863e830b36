use super::{Columns, Outcome, Statements, Taken};
use crate::item::Item;
use crate::limits::Limits;
use crate::store::Totals;

/// The counts of a store, in a row of their own. Every transaction that changes them reads them first and writes them
/// last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Tally {
    /// The last identifier.
    pub(in crate::store) last_id: u64,
    pub(in crate::store) items: u64,
    pub(in crate::store) dead_letters: u64,
    pub(in crate::store) bytes: u64,
}

impl Tally {
    pub(in crate::store) fn of(row: &impl Columns) -> Outcome<Tally> {
        Ok(Tally {
            last_id: row.unsigned("last_id")?,
            items: row.unsigned("items")?,
            dead_letters: row.unsigned("dead_letters")?,
            bytes: row.unsigned("bytes")?,
        })
    }

    /// The values of the columns `last_id`, `items`, `dead_letters` and `bytes`.
    pub(in crate::store) fn values(self) -> [i64; 4] {
        [self.last_id, self.items, self.dead_letters, self.bytes].map(super::signed)
    }

    pub(super) async fn totals(self, statements: &mut impl Statements) -> Outcome<Totals> {
        let Tally { items, dead_letters, bytes, .. } = self;
        Ok(Totals { items, dead_letters, bytes, oldest: statements.oldest().await? })
    }

    /// Whether this many items of this size fit.
    pub(super) fn has_room(self, limits: &Limits, items: u64, bytes: u64) -> bool {
        let stored = self.items.saturating_add(self.dead_letters);
        limits.permit(stored.saturating_add(items), self.bytes.saturating_add(bytes))
    }

    /// Counts nothing as stored, after a store with no rows was found.
    pub(super) fn empty(&mut self) {
        *self = Tally { last_id: self.last_id, items: 0, dead_letters: 0, bytes: 0 };
    }

    /// Counts new items, and returns the identifier of the first.
    pub(super) fn add(&mut self, items: &[Item]) -> u64 {
        let count = items.len() as u64;
        let first = self.last_id.saturating_add(1);
        self.last_id = self.last_id.saturating_add(count);
        self.items = self.items.saturating_add(count);
        self.bytes = self.bytes.saturating_add(items.iter().map(Item::size).sum::<u64>());
        first
    }

    // Saturating, here and below: rows that were inserted by hand are not counted.
    pub(super) fn remove_item(&mut self, size: u64) {
        self.items = self.items.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }

    /// Counts items that have become dead letters.
    pub(super) fn set_aside(&mut self, count: u64) {
        self.items = self.items.saturating_sub(count);
        self.dead_letters = self.dead_letters.saturating_add(count);
    }

    /// Counts a dead letter that was removed, and returns its item.
    pub(super) fn take_dead_letter(&mut self, Taken { item, size }: Taken) -> Item {
        self.dead_letters = self.dead_letters.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
        item
    }
}
