use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use halfopen::adapter::{Lookup, into_permit};
use halfopen::{OwnedPermit, Registry, Rejected};

use crate::admission::{Admission, Readiness};
use crate::sealed::Sealed;

/// Names the breaker of a request.
///
/// Implemented for every `Fn(&Request) -> Cow<str>`. A closure accepts one type of request; implement the trait for a
/// type to accept several.
pub trait Key<Request> {
    /// Returns the name of the breaker. A name that is borrowed from the request does not allocate.
    fn key<'a>(&self, request: &'a Request) -> Cow<'a, str>;

    /// Returns whether `name`, which [`key`](Self::key) has returned before, is the name for this request too.
    ///
    /// Consecutive calls often have the same name, and to compare it can be cheaper than to find it.
    fn is_key(&self, request: &Request, name: &str) -> bool {
        *self.key(request) == *name
    }
}

impl<Request, K> Key<Request> for K
where
    K: for<'a> Fn(&'a Request) -> Cow<'a, str>,
{
    fn key<'a>(&self, request: &'a Request) -> Cow<'a, str> {
        self(request)
    }
}

/// Admits each call with the breaker of its key: [`CircuitBreakerLayer::keyed`](crate::CircuitBreakerLayer::keyed).
pub struct Keyed<K> {
    registry: Registry,
    // Shared, so that the closure need not be `Clone`.
    key: Arc<K>,
    /// The breaker of the last call, as consecutive calls of a service often have the same key.
    last: Option<Lookup>,
}

impl<K> Keyed<K> {
    /// Creates an admission by the breakers of `registry`, which `key` names.
    pub fn new(registry: Registry, key: K) -> Self {
        Self { registry, key: Arc::new(key), last: None }
    }

    /// Looks the breaker of a name up and keeps it, unless the registry has to see each use.
    #[inline(never)]
    fn acquire_anew(&mut self, name: &str) -> Result<OwnedPermit, Rejected> {
        self.last = Lookup::new(&self.registry, name);
        match &self.last {
            Some(found) => found.breaker().try_acquire_owned(),
            None => into_permit(self.registry.get_or_create(name)),
        }
    }
}

impl<K> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        Self { registry: self.registry.clone(), key: Arc::clone(&self.key), last: self.last.clone() }
    }
}

impl<K> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("breakers", &self.registry.len()).finish_non_exhaustive()
    }
}

impl<K> Sealed for Keyed<K> {}

impl<Request, K: Key<Request>> Admission<Request> for Keyed<K> {
    // The key is part of the request, which is not known yet.
    fn poll_readiness(&mut self, _: &mut Context<'_>) -> Poll<Readiness> {
        Poll::Ready(Readiness::Ready)
    }

    fn acquire(&mut self, request: &Request) -> Result<OwnedPermit, Rejected> {
        match &self.last {
            Some(last)
                if last.is_current(&self.registry) && self.key.is_key(request, last.breaker().name()) =>
            {
                last.breaker().try_acquire_owned()
            }
            Some(_) | None => self.acquire_anew(&self.key.key(request)),
        }
    }

    // Without a request there is no key whose breaker could record the failure.
    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        None
    }
}
