use std::fmt;
use std::sync::Arc;

use super::Shared;

/// A place for one message, returned by [`Gate::open`](crate::Gate::open). It is free again when it is dropped.
#[must_use = "a place is free again when it is dropped"]
pub struct Place(Arc<Shared>);

impl Place {
    pub(super) fn new(shared: Arc<Shared>) -> Place {
        Place(shared)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.0.breaker.name()).finish()
    }
}
