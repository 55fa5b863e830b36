use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::forget;
use std::pin::Pin;
use std::task::{Context, Poll};

use fusebox::{Outcome, OwnedPermit};
use pin_project_lite::pin_project;

use crate::Judge;
use crate::mode::{ErrorMode, ModeOf};

pin_project! {
    /// The call of a [`CircuitBreakerService`](crate::CircuitBreakerService): the inner call and its permit, or
    /// the answer to a rejected one.
    ///
    /// A panic in the inner future is a failure and goes on unchanged.
    ///
    /// # Panics
    ///
    /// It may panic when it is polled again after it was done, or after the inner future panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the call is abandoned: it counts as the breaker's `Abandoned` policy
    /// says (by default not at all), and a probe gives its slot back.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, M, T, E> {
        #[pin]
        call: Call<F, C, T, E>,
        mode: ModeOf<M>,
    }
}

pin_project! {
    #[project = CallProjection]
    enum Call<F, C, T, E> {
        Permitted {
            #[pin]
            inner: F,
            permit: Held,
            classify: C,
        },
        Rejected {
            answer: Option<Result<T, E>>,
        },
    }
}

/// The permit of a call, settled where it lies when the call is done.
struct Held(OwnedPermit);

/// Lies on the stack of a poll, where a panic of the inner future, or of what turns its error into another,
/// meets it on its way out: the call has failed. It is forgotten when the poll comes back.
struct Witness<'a>(&'a mut Held);

impl<F, C, M, T, E> ResponseFuture<F, C, M, T, E> {
    #[inline]
    pub(crate) fn permitted(inner: F, permit: OwnedPermit, classify: C) -> Self {
        Self { call: Call::Permitted { inner, permit: Held(permit), classify }, mode: PhantomData }
    }

    pub(crate) fn rejected(answer: Result<T, E>) -> Self {
        Self { call: Call::Rejected { answer: Some(answer) }, mode: PhantomData }
    }
}

impl<F, C, M, T, E> Future for ResponseFuture<F, C, M, T, M::Error>
where
    F: Future<Output = Result<T, E>>,
    C: Judge<T, E, M>,
    M: ErrorMode<E>,
{
    type Output = Result<T, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProjection::Permitted { inner, permit, classify } => {
                assert!(!permit.0.is_settled(), "not polled after it was done");
                let witness = Witness(permit);
                let answer = inner.poll(cx).map(|result| classify.judge(&mut witness.0.0, result));
                forget(witness);
                answer
            }
            CallProjection::Rejected { answer } => {
                Poll::Ready(answer.take().expect("not polled after it was done"))
            }
        }
    }
}

impl Held {
    // Only a drop in the middle of a call comes here. It says so itself: the permit's own drop would take
    // a panic elsewhere in the task, which drops a healthy call, for the call's failure.
    #[cold]
    fn abandon(&mut self) {
        self.0.abandon_in_place();
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_settled() {
            self.abandon();
        }
    }
}

impl Drop for Witness<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.0.record_in_place(Outcome::Failure);
    }
}

impl<F, C, M, T, E> fmt::Debug for ResponseFuture<F, C, M, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = matches!(self.call, Call::Rejected { .. });
        f.debug_struct("ResponseFuture").field("rejected", &rejected).finish_non_exhaustive()
    }
}
