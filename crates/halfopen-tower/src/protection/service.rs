use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use halfopen_limit::Protection;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Followed, TimeoutService};
use crate::classify::{DefaultClassify, RecordOutcome};
use crate::limit::{LimitFuture, LimitService};
use crate::on_reject::Boxed;
use crate::{BoxError, CircuitBreakerService};

type Guarded<S, C> = CircuitBreakerService<TimeoutService<S>, Followed, C, Boxed>;
type Limited<S, C> = LimitService<Guarded<S, C>, Protection, Boxed>;

/// A service with the limits, the breaker and the timeout of a protection; made by a
/// [`ProtectionLayer`](crate::ProtectionLayer).
#[derive(Clone)]
pub struct ProtectionService<S, C = DefaultClassify>(Limited<S, C>);

pin_project! {
    /// The future of a call of a [`ProtectionService`].
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it leaves the queue. Dropped later, the call is abandoned and its slot given back.
    #[must_use = "futures do nothing unless polled"]
    pub struct ProtectionFuture<S, C, Request>
    where
        S: Service<Request>,
        S::Error: Into<BoxError>,
        C: RecordOutcome<Request, S::Response, BoxError, Boxed>,
        C: Clone,
    {
        #[pin]
        limited: LimitFuture<Guarded<S, C>, Protection, Boxed, Request>,
    }
}

impl<S, C> ProtectionService<S, C> {
    pub(super) fn new(limited: Limited<S, C>) -> Self {
        Self(limited)
    }
}

impl<S, C, Request> Service<Request> for ProtectionService<S, C>
where
    S: Service<Request> + Clone,
    S::Error: Into<BoxError>,
    C: RecordOutcome<Request, S::Response, BoxError, Boxed> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ProtectionFuture<S, C, Request>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        ProtectionFuture { limited: self.0.call(request) }
    }
}

impl<S, C, Request> Future for ProtectionFuture<S, C, Request>
where
    S: Service<Request>,
    S::Error: Into<BoxError>,
    C: RecordOutcome<Request, S::Response, BoxError, Boxed> + Clone,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().limited.poll(cx)
    }
}

impl<S, C> fmt::Debug for ProtectionService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectionService").finish_non_exhaustive()
    }
}

impl<S, C, Request> fmt::Debug for ProtectionFuture<S, C, Request>
where
    S: Service<Request>,
    S::Error: Into<BoxError>,
    C: RecordOutcome<Request, S::Response, BoxError, Boxed> + Clone,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectionFuture").finish_non_exhaustive()
    }
}
