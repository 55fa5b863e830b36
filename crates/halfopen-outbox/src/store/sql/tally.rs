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
        limits.permit(self.items + self.dead_letters + items, self.bytes + bytes)
    }

    /// Counts new items, and returns the identifier of the first.
    pub(super) fn add(&mut self, items: &[Item]) -> u64 {
        let first = self.last_id + 1;
        self.last_id += items.len() as u64;
        self.items += items.len() as u64;
        self.bytes += items.iter().map(Item::size).sum::<u64>();
        first
    }

    pub(super) fn remove_item(&mut self, size: u64) {
        self.items -= 1;
        self.bytes -= size;
    }

    /// Counts a dead letter that was removed, and returns its item.
    pub(super) fn take_dead_letter(&mut self, Taken { item, size }: Taken) -> Item {
        self.dead_letters -= 1;
        self.bytes -= size;
        item
    }
}
