use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use halfopen::OwnedPermit;
use pin_project_lite::pin_project;

use crate::{OnReject, RecordOutcome};

pin_project! {
    /// The future of a call of a [`CircuitBreakerService`](crate::CircuitBreakerService): the inner call and its
    /// permit, or the answer to a rejected one.
    ///
    /// A panic in the inner future is a failure and goes on unchanged.
    ///
    /// # Panics
    ///
    /// It may panic if it is polled again after it is ready, or after the inner future panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the call is abandoned: it counts by the breaker's `Abandoned` policy (by
    /// default not at all), and a probe gives its slot back. Leaked, it keeps the slot until the probe's time is
    /// over, which opens the breaker again.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, M, Request, T, E> {
        #[pin]
        call: Call<F, C, T, E>,
        // Types alone: the future has no use for the values.
        mode: PhantomData<fn(Request) -> M>,
    }
}

pin_project! {
    #[project = CallProjection]
    enum Call<F, C, T, E> {
        Permitted {
            #[pin]
            inner: F,
            permit: PermitGuard,
            classify: C,
        },
        Rejected {
            answer: Option<Result<T, E>>,
        },
    }
}

/// The permit of a call between its polls. During a poll it lies on the stack, where its own drop sees a panic
/// pass that is the call's.
struct PermitGuard(Option<OwnedPermit>);

impl<F, C, M, Request, T, E> ResponseFuture<F, C, M, Request, T, E> {
    #[inline]
    pub(crate) fn permitted(inner: F, permit: OwnedPermit, classify: C) -> Self {
        let permit = PermitGuard(Some(permit));
        Self { call: Call::Permitted { inner, permit, classify }, mode: PhantomData }
    }

    pub(crate) fn rejected(answer: Result<T, E>) -> Self {
        Self { call: Call::Rejected { answer: Some(answer) }, mode: PhantomData }
    }
}

impl<F, C, M, Request, T, E> Future for ResponseFuture<F, C, M, Request, T, M::Error>
where
    F: Future<Output = Result<T, E>>,
    C: RecordOutcome<Request, T, E, M>,
    M: OnReject<Request, T, E>,
{
    type Output = Result<T, M::Error>;

    // Always, where the caller can see it: the result is then not written to memory to be read back immediately.
    // All but the path of a success lies in functions of their own.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProjection::Permitted { inner, permit, classify } => {
                let held = permit.0.take().expect("not polled after it was ready");
                match inner.poll(cx) {
                    Poll::Ready(result) => Poll::Ready(classify.record(held, result)),
                    Poll::Pending => {
                        permit.0 = Some(held);
                        Poll::Pending
                    }
                }
            }
            CallProjection::Rejected { answer } => {
                Poll::Ready(answer.take().expect("not polled after it was ready"))
            }
        }
    }
}

impl Drop for PermitGuard {
    #[inline]
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            abandon(permit);
        }
    }
}

// Only a drop in the middle of a call comes here, and it is an abandonment: the permit's own drop would take a
// panic elsewhere in the task, which drops a healthy call, for the call's failure.
#[cold]
#[inline(never)]
fn abandon(permit: OwnedPermit) {
    permit.abandon();
}

impl<F, C, M, Request, T, E> fmt::Debug for ResponseFuture<F, C, M, Request, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = matches!(self.call, Call::Rejected { .. });
        f.debug_struct("ResponseFuture").field("rejected", &rejected).finish_non_exhaustive()
    }
}
