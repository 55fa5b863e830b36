use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use halfopen::{OwnedPermit, Registry, Rejected};

use crate::sealed::Sealed;
use crate::{Admission, Readiness};

/// Maps a request to the name of its breaker; every `Fn(&Request) -> Cow<str>` does.
///
/// A type of its own can do so for requests of many types, a closure for one.
pub trait Key<Request> {
    /// Returns the name of the breaker; a name that is borrowed from the request allocates nothing.
    fn key<'a>(&self, request: &'a Request) -> Cow<'a, str>;
}

impl<Request, K> Key<Request> for K
where
    K: for<'a> Fn(&'a Request) -> Cow<'a, str>,
{
    fn key<'a>(&self, request: &'a Request) -> Cow<'a, str> {
        self(request)
    }
}

/// One breaker per key of the request: [`CircuitBreakerLayer::keyed`](crate::CircuitBreakerLayer::keyed).
pub struct Keyed<K> {
    registry: Registry,
    // Shared, so that the closure need not be `Clone`.
    key: Arc<K>,
}

impl<K> Keyed<K> {
    /// One breaker of this registry per key.
    pub fn new(registry: Registry, key: K) -> Self {
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

impl<Request, K: Key<Request>> Admission<Request> for Keyed<K> {
    // The key is in the request, and there is none yet.
    fn poll_readiness(&mut self, _: &mut Context<'_>) -> Poll<Readiness> {
        Poll::Ready(Readiness::Ready)
    }

    fn acquire(&mut self, request: &Request) -> Result<OwnedPermit, Rejected> {
        let key = self.key.key(request);
        halfopen::adapter::into_permit(self.registry.get_or_create(&key))
    }

    // The failure of which key is unknown.
    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        None
    }
}
