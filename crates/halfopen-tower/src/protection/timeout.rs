use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use halfopen::adapter::Printable;
use halfopen::format_duration;
use halfopen_limit::Protection;
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use crate::BoxError;

/// A service whose calls end after the timeout that its protection has when they begin.
#[derive(Clone, Debug)]
pub struct TimeoutService<S> {
    inner: S,
    protection: Protection,
}

pin_project! {
    /// The future of a call of a [`TimeoutService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TimeoutFuture<F> {
        #[pin]
        inner: F,
        timeout: Option<(Duration, Protection)>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

/// A call took longer than its `call_timeout` and was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTimedOut {
    name: Arc<str>,
    timeout: Duration,
}

impl<S> TimeoutService<S> {
    pub(super) fn new(inner: S, protection: Protection) -> Self {
        Self { inner, protection }
    }
}

impl CallTimedOut {
    /// Returns the name of the protection.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the timeout of the call.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl<S, Request> Service<Request> for TimeoutService<S>
where
    S: Service<Request>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = TimeoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let timeout = self.protection.call_timeout().map(|timeout| (timeout, self.protection.clone()));
        let sleep = timeout.as_ref().map(|(timeout, _)| tokio::time::sleep(*timeout));
        TimeoutFuture { inner: self.inner.call(request), timeout, sleep }
    }
}

impl<F, T, E> Future for TimeoutFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(result.map_err(Into::into));
        }
        let (Some(sleep), Some((timeout, protection))) = (this.sleep.as_pin_mut(), this.timeout) else {
            return Poll::Pending;
        };
        ready!(sleep.poll(cx));
        let (name, timeout) = (protection.name().into(), *timeout);
        Poll::Ready(Err(Box::new(CallTimedOut { name, timeout })))
    }
}

impl fmt::Display for CallTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, timeout) = (Printable::new(&self.name), format_duration(self.timeout));
        write!(f, "call of `{name}` timed out after {timeout}")
    }
}

impl Error for CallTimedOut {}
