use std::sync::OnceLock;
use std::task::{Context, Poll};

use tower_service::Service;

/// The inner service, which may hold a reservation for the next call.
///
/// A service that was polled may hold a concurrency permit, a slot of a buffer, or a place in their queues, until
/// it is called or dropped. When the call is rejected instead, a clone replaces it and releases the reservation.
///
/// This does not require `S: Clone`. The first `clone` of an `Inner` proves the bound and stores the function; an
/// `Inner` that was never cloned keeps its reservation for its next call.
pub(crate) struct Inner<S> {
    service: S,
    /// The service was polled since its last call.
    polled: bool,
    /// `S::clone`, once it is known that `S` implements it. A `OnceLock` because `clone` takes `&self`.
    fresh: OnceLock<fn(&S) -> S>,
}

impl<S> Inner<S> {
    pub(crate) fn new(service: S) -> Self {
        Self { service, polled: false, fresh: OnceLock::new() }
    }

    #[inline(always)]
    pub(crate) fn poll_ready<Request>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>>
    where
        S: Service<Request>,
    {
        // From here on the service may hold a reservation for this caller: a permit of a limit, or a slot of a
        // buffer.
        self.polled = true;
        self.service.poll_ready(cx)
    }

    #[inline(always)]
    pub(crate) fn call<Request>(&mut self, request: Request) -> S::Future
    where
        S: Service<Request>,
    {
        // The call takes over what readiness has reserved.
        self.polled = false;
        self.service.call(request)
    }

    /// Releases what the service has reserved.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.polled {
            self.release_slow();
        }
    }

    #[cold]
    #[inline(never)]
    fn release_slow(&mut self) {
        // A clone is not ready and has reserved nothing, so it replaces the polled service. How to clone is known
        // only if this service was cloned itself, as the types need not be `Clone`; one that never was keeps its
        // reservation for its next call.
        if let Some(fresh) = self.fresh.get() {
            self.service = fresh(&self.service);
            self.polled = false;
        }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.service
    }

    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.service
    }

    pub(crate) fn into_service(self) -> S {
        self.service
    }
}

impl<S: Clone> Clone for Inner<S> {
    fn clone(&self) -> Self {
        // The one place where `S: Clone` is known, which `Service` does not ask for: remembered in both for
        // `release`.
        let fresh = *self.fresh.get_or_init(|| S::clone);
        Self { service: self.service.clone(), polled: false, fresh: OnceLock::from(fresh) }
    }
}
