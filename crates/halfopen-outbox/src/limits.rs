use halfopen::ConfigProblem;

/// The limits of an outbox, which hold for items and dead letters together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The number of items; the default is 100,000.
    pub max_items: u64,
    /// The bytes of all items, by [`Item::size`](crate::Item::size); the default is 256 MiB.
    pub max_bytes: u64,
    /// What happens to an item for which there is no room.
    pub overflow: Overflow,
}

/// What happens to an item for which an outbox has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// It is not stored, and its sender gets an error.
    #[default]
    Reject,
    /// The oldest dead letters are dropped, then the oldest items, until there is room. Each is reported by an
    /// event and counted.
    DropOldest,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_items: 100_000, max_bytes: 256 * 1024 * 1024, overflow: Overflow::Reject }
    }
}

impl Limits {
    /// Returns whether a store of this size is within the limits.
    pub fn permit(&self, items: u64, bytes: u64) -> bool {
        items <= self.max_items && bytes <= self.max_bytes
    }

    pub(crate) fn problems(&self) -> impl Iterator<Item = ConfigProblem> {
        // Databases count in 64 bits with a sign.
        let problem = |field, value| {
            (!(1..=i64::MAX as u64).contains(&value))
                .then(|| ConfigProblem::new(field, value, "1 to 9223372036854775807"))
        };
        let problems = [problem("max_items", self.max_items), problem("max_bytes", self.max_bytes)];
        problems.into_iter().flatten()
    }
}
