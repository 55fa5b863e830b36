//! The limit: the minimum cost of any breaker that shares a state and counts its calls. A load of the state,
//! one counter, and the shared state moved into the future and returned.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::harness::now;

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU64,
    calls: AtomicU64,
}

/// The limit as a service; `TIMED` reads the clock twice as well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limit<S, const TIMED: bool> {
    inner: S,
    shared: Arc<Shared>,
}

pin_project! {
    pub(crate) struct LimitFuture<F> {
        #[pin]
        inner: F,
        shared: Arc<Shared>,
        started: Option<Instant>,
    }
}

impl<S: Service<u64>, const TIMED: bool> Service<u64> for Limit<S, TIMED> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = LimitFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: u64) -> Self::Future {
        assert_eq!(self.shared.state.load(Ordering::Acquire), 0, "nobody opens the limit");
        LimitFuture {
            inner: self.inner.call(request),
            shared: Arc::clone(&self.shared),
            started: TIMED.then(now),
        }
    }
}

impl<F: Future> Future for LimitFuture<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!(this.inner.poll(cx));
        this.shared.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(started) = this.started {
            black_box(now().saturating_duration_since(*started));
        }
        Poll::Ready(output)
    }
}
