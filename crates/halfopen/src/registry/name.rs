use std::borrow::Borrow;
use std::collections::hash_map;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::quality::{FoldHasher, SeedableRandomState};

use crate::breaker::CircuitBreaker;

/// A key of the map: the breaker's own name, found by a plain `str`.
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

/// How names are hashed: quickly, and by a seed that nobody outside can know.
///
/// Names may come from outside, so whoever sends them must not be able to choose some that fall on
/// one place. The seed is the operating system's and another for each registry, and no order of the
/// table, from which it could be guessed, is ever shown: lists are sorted by name.
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
