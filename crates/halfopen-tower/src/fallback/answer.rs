use std::fmt;
use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

/// Answers a call in place of the inner service, from the error and the remembered part of the request.
///
/// Implemented for every `Fn(E, P) -> impl Future<Output = Result<T, E>>`.
pub trait Fallback<P, T, E> {
    /// The future of the answer.
    type Future: Future<Output = Result<T, E>>;

    /// Returns the future of the answer.
    fn answer(&self, error: E, remembered: P) -> Self::Future;
}

impl<P, T, E, F, Fut> Fallback<P, T, E> for F
where
    F: Fn(E, P) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Future = Fut;

    fn answer(&self, error: E, remembered: P) -> Fut {
        self(error, remembered)
    }
}

/// Answers every call with a clone of one value: [`FallbackLayer::value`](crate::FallbackLayer::value).
#[derive(Clone, Copy, Debug)]
pub struct CloneValue<T>(pub(super) T);

impl<P, T: Clone, E> Fallback<P, T, E> for CloneValue<T> {
    type Future = Ready<Result<T, E>>;

    fn answer(&self, _: E, _: P) -> Self::Future {
        ready(Ok(self.0.clone()))
    }
}

/// Answers with a call of another service, whose request is the remembered part:
/// [`FallbackLayer::service`](crate::FallbackLayer::service).
#[derive(Clone, Copy, Debug)]
pub struct WithService<B>(pub(super) B);

impl<P, T, E, B> Fallback<P, T, E> for WithService<B>
where
    B: Service<P, Response = T> + Clone,
    B::Error: Into<E>,
{
    type Future = OneshotFuture<B, P, E>;

    fn answer(&self, _: E, remembered: P) -> Self::Future {
        OneshotFuture {
            step: Step::Readying { service: self.0.clone(), request: Some(remembered) },
            error: PhantomData,
        }
    }
}

pin_project! {
    /// The future of a call of another service, which is polled ready and then called.
    #[must_use = "futures do nothing unless polled"]
    pub struct OneshotFuture<B, P, E>
    where
        B: Service<P>,
    {
        #[pin]
        step: Step<B, P>,
        error: PhantomData<fn() -> E>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<B, P>
    where
        B: Service<P>,
    {
        Readying {
            service: B,
            request: Option<P>,
        },
        Calling {
            #[pin]
            inner: B::Future,
        },
    }
}

impl<B, P, E> Future for OneshotFuture<B, P, E>
where
    B: Service<P>,
    B::Error: Into<E>,
{
    type Output = Result<B::Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            match step.as_mut().project() {
                StepProjection::Readying { service, request } => {
                    // A clone is not ready, whatever its original is, so it is made ready here.
                    if let Err(error) = ready!(service.poll_ready(cx)) {
                        return Poll::Ready(Err(error.into()));
                    }
                    let request = request.take().expect("`OneshotFuture` polled after completion");
                    let inner = service.call(request);
                    step.set(Step::Calling { inner });
                }
                StepProjection::Calling { inner } => return inner.poll(cx).map_err(Into::into),
            }
        }
    }
}

impl<B: Service<P>, P, E> fmt::Debug for OneshotFuture<B, P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneshotFuture").finish_non_exhaustive()
    }
}
