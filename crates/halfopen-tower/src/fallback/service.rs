use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use super::{Fallback, FallbackFuture, Nothing, OnRejection, Remember, When};

/// A service that answers rejected or failed calls with a fallback. Created by a
/// [`FallbackLayer`](crate::FallbackLayer).
///
/// An error of the inner `poll_ready` is returned, because there is no call to answer yet.
pub struct FallbackService<S, F, R = Nothing, W = OnRejection> {
    pub(super) inner: S,
    pub(super) fallback: Arc<F>,
    pub(super) remember: Arc<R>,
    pub(super) when: Arc<W>,
}

impl<S, F, R, W> FallbackService<S, F, R, W> {
    /// Returns a reference to the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service. Calls on it bypass the fallback.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Converts into the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, F, R, W, Request> Service<Request> for FallbackService<S, F, R, W>
where
    S: Service<Request>,
    R: Remember<Request>,
    F: Fallback<R::Part, S::Response, S::Error>,
    W: When<S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = FallbackFuture<S::Future, F, R::Part, W, S::Response, S::Error>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        // Before the call, which consumes the request.
        let remembered = self.remember.remember(&request);
        let inner = self.inner.call(request);
        FallbackFuture::new(inner, remembered, Arc::clone(&self.fallback), Arc::clone(&self.when))
    }
}

impl<S: Clone, F, R, W> Clone for FallbackService<S, F, R, W> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            fallback: Arc::clone(&self.fallback),
            remember: Arc::clone(&self.remember),
            when: Arc::clone(&self.when),
        }
    }
}

impl<S: fmt::Debug, F, R, W> fmt::Debug for FallbackService<S, F, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
