use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use halfopen::OwnedPermit;
use halfopen::adapter::{AnyPermit, HandlePermit};
use pin_project_lite::pin_project;

use crate::classify::RecordOutcome;
use crate::on_reject::OnReject;

pin_project! {
    /// The future of a call of a [`CircuitBreakerService`](crate::CircuitBreakerService).
    ///
    /// Holds the permit of the call and records the outcome when the inner future completes. A panic of the inner
    /// future is recorded as a failure and propagates.
    ///
    /// # Panics
    ///
    /// May panic if it is polled after completion, or after the inner future has panicked.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before completion, the call is abandoned: it is counted by the breaker's `Abandoned` policy
    /// (by default it is ignored), and a probe releases its slot. If it is leaked, a probe keeps its slot until the
    /// `probe_timeout`, which reopens the breaker.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, M, Request, T, E> {
        #[pin]
        call: Call<F, C, T, E>,
        // Named only by the bounds of `poll`, which needs no value of either type.
        mode: PhantomData<fn(Request) -> M>,
    }
}

pin_project! {
    #[project = CallProjection]
    enum Call<F, C, T, E> {
        Permitted {
            #[pin]
            inner: F,
            permit: PermitGuard<OwnedPermit>,
            classify: C,
        },
        // A variant of its own: a permit that could be of two types would be kept in memory, which takes a call four
        // times as long.
        Contended {
            #[pin]
            inner: F,
            permit: PermitGuard<HandlePermit>,
            classify: C,
        },
        Rejected {
            answer: Option<Result<T, E>>,
        },
    }
}

/// The permit of a call while the call is not being polled.
///
/// During a poll the permit is on the stack instead, so that a panic of the inner future unwinds through it and is
/// recorded as a failure.
struct PermitGuard<P: AnyPermit>(Option<P>);

impl<F, C, M, Request, T, E> ResponseFuture<F, C, M, Request, T, E> {
    #[inline]
    pub(crate) fn permitted(inner: F, permit: OwnedPermit, classify: C) -> Self {
        let permit = PermitGuard(Some(permit));
        Self { call: Call::Permitted { inner, permit, classify }, mode: PhantomData }
    }

    #[inline]
    pub(crate) fn contended(inner: F, permit: HandlePermit, classify: C) -> Self {
        let permit = PermitGuard(Some(permit));
        Self { call: Call::Contended { inner, permit, classify }, mode: PhantomData }
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

    // Inlined into the caller, so that the result is not written to memory and read back immediately. Everything but
    // the path of a success is in functions that are not inlined.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProjection::Permitted { inner, permit, classify } => poll_call(inner, permit, classify, cx),
            CallProjection::Contended { inner, permit, classify } => poll_call(inner, permit, classify, cx),
            CallProjection::Rejected { answer } => {
                Poll::Ready(answer.take().expect("`ResponseFuture` polled after completion"))
            }
        }
    }
}

/// Polls the inner future, and records its result.
// No closures: they cannot be `inline(always)`, and the permit would be passed to them in memory.
#[inline(always)]
fn poll_call<F, C, P, Request, T, E, M>(
    inner: Pin<&mut F>,
    permit: &mut PermitGuard<P>,
    classify: &mut C,
    cx: &mut Context<'_>,
) -> Poll<Result<T, M::Error>>
where
    F: Future<Output = Result<T, E>>,
    C: RecordOutcome<Request, T, E, M>,
    M: OnReject<Request, T, E>,
    P: AnyPermit,
{
    // On the stack while the inner future is polled: if that panics, the unwinding drops the permit
    // itself, which is a failure. The guard, which would abandon it, is empty then.
    let on_stack = permit.0.take().expect("`ResponseFuture` polled after completion");
    match inner.poll(cx) {
        Poll::Ready(result) => Poll::Ready(classify.record(on_stack, result)),
        Poll::Pending => {
            permit.0 = Some(on_stack);
            Poll::Pending
        }
    }
}

impl<P: AnyPermit> Drop for PermitGuard<P> {
    #[inline]
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            abandon(permit);
        }
    }
}

// Reached only if the future is dropped between two polls. `abandon` is explicit, because the permit's own drop
// records a failure while the thread panics. A panic elsewhere in the task drops this future as well, although the
// callee did nothing wrong.
#[cold]
#[inline(never)]
fn abandon<P: AnyPermit>(permit: P) {
    permit.abandon();
}

impl<F, C, M, Request, T, E> fmt::Debug for ResponseFuture<F, C, M, Request, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = matches!(self.call, Call::Rejected { .. });
        f.debug_struct("ResponseFuture").field("rejected", &rejected).finish_non_exhaustive()
    }
}
