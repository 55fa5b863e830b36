use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use fusebox::{OwnedPermit, Registry, Rejected};

use crate::sealed::Sealed;
use crate::{Admission, Door};

/// One breaker per key of the request: [`CircuitBreakerLayer::keyed`](crate::CircuitBreakerLayer::keyed).
pub struct Keyed<K> {
    registry: Registry,
    // Shared, so that the closure need not be `Clone`.
    key: Arc<K>,
}

impl<K> Keyed<K> {
    pub(crate) fn new(registry: Registry, key: K) -> Self {
        Self { registry, key: Arc::new(key) }
    }
}

impl<K> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        Self { registry: self.registry.clone(), key: Arc::clone(&self.key) }
    }
}

impl<K> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("breakers", &self.registry.len()).finish_non_exhaustive()
    }
}

impl<K> Sealed for Keyed<K> {}

impl<Request, K> Admission<Request> for Keyed<K>
where
    K: for<'a> Fn(&'a Request) -> Cow<'a, str>,
{
    // The key is in the request, and there is none yet.
    fn poll_door(&mut self, _: &mut Context<'_>) -> Poll<Door> {
        Poll::Ready(Door::Pass)
    }

    fn acquire(&mut self, request: &Request) -> Result<OwnedPermit, Rejected> {
        let key = (self.key)(request);
        self.registry.get_or_create(&key).try_acquire_owned()
    }

    // Nobody knows whose failure it is.
    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        None
    }
}
