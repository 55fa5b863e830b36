use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::{Fallback, When};

pin_project! {
    /// The future of a call of a [`FallbackService`](crate::FallbackService).
    ///
    /// Completes with the result of the inner call, or with that of the fallback if the error is to be answered.
    ///
    /// # Panics
    ///
    /// May panic if it is polled after completion.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before completion, the inner call or the fallback in progress is dropped with it.
    #[must_use = "futures do nothing unless polled"]
    pub struct FallbackFuture<Fut, F, P, W, T, E>
    where
        F: Fallback<P, T, E>,
    {
        #[pin]
        step: Step<Fut, F, P, W, T, E>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<Fut, F, P, W, T, E>
    where
        F: Fallback<P, T, E>,
    {
        Calling {
            #[pin]
            inner: Fut,
            answer: Option<(P, Arc<F>)>,
            when: Arc<W>,
        },
        Answering {
            #[pin]
            fallback: F::Future,
        },
    }
}

impl<Fut, F, P, W, T, E> FallbackFuture<Fut, F, P, W, T, E>
where
    F: Fallback<P, T, E>,
{
    #[inline]
    pub(super) fn new(inner: Fut, remembered: P, fallback: Arc<F>, when: Arc<W>) -> Self {
        Self { step: Step::Calling { inner, answer: Some((remembered, fallback)), when } }
    }
}

impl<Fut, F, P, W, T, E> Future for FallbackFuture<Fut, F, P, W, T, E>
where
    Fut: Future<Output = Result<T, E>>,
    F: Fallback<P, T, E>,
    W: When<E>,
{
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let mut step = self.project().step;
        loop {
            match step.as_mut().project() {
                StepProjection::Calling { inner, answer, when } => {
                    let error = match ready!(inner.poll(cx)) {
                        Err(error) if when.matches(&error) => error,
                        result => return Poll::Ready(result),
                    };
                    let (remembered, fallback) =
                        answer.take().expect("`FallbackFuture` polled after completion");
                    let fallback = fallback.answer(error, remembered);
                    // Drops the failed call and its resources before the fallback is polled, which can take long.
                    step.set(Step::Answering { fallback });
                }
                StepProjection::Answering { fallback } => return fallback.poll(cx),
            }
        }
    }
}

impl<Fut, F, P, W, T, E> fmt::Debug for FallbackFuture<Fut, F, P, W, T, E>
where
    F: Fallback<P, T, E>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answering = matches!(self.step, Step::Answering { .. });
        f.debug_struct("FallbackFuture").field("answering", &answering).finish_non_exhaustive()
    }
}
