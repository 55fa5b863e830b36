use std::borrow::Borrow;
use std::collections::hash_map;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::quality::{FoldHasher, SeedableRandomState};

use crate::breaker::CircuitBreaker;

/// A key of the map: the breaker's own name, shared with it and looked up by `str`.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Name(Arc<str>);

impl Name {
    pub(super) fn of(breaker: &CircuitBreaker) -> Name {
        Name(Arc::clone(breaker.inner().name()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A fast hasher with a seed that cannot be known from outside.
///
/// Names can come from outside, and an attacker must not be able to choose names that collide. The seed comes from
/// the operating system and differs for each registry. The order of the table, from which the seed could be guessed,
/// is never shown: lists are sorted by name.
#[derive(Clone)]
pub(super) struct Seeded(SeedableRandomState);

impl Seeded {
    pub(super) fn new() -> Seeded {
        let seed = hash_map::RandomState::new().hash_one("names");
        Seeded(SeedableRandomState::with_seed(seed, SharedSeed::global_random()))
    }
}

impl BuildHasher for Seeded {
    type Hasher = FoldHasher<'static>;

    #[inline]
    fn build_hasher(&self) -> FoldHasher<'static> {
        self.0.build_hasher()
    }
}
