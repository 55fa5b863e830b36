use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use halfopen::Rejected;
use halfopen_http::{WatchedBody, WatchedCall};
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::Answer;
use crate::classify::Rules;

pin_project! {
    /// The call of a [`GrpcCircuitBreakerService`](crate::GrpcCircuitBreakerService).
    ///
    /// # Panics
    ///
    /// It may panic when it is polled again after it was done.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the head of the answer is here, the call is abandoned, and a probe gives its slot
    /// back; if the request's own deadline (`grpc-timeout`) has passed by then, it is a failure.
    #[must_use = "futures do nothing unless polled"]
    pub struct GrpcResponseFuture<F, M> {
        #[pin]
        call: Call<F>,
        mode: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = CallProjection]
    enum Call<F> {
        Permitted {
            #[pin]
            inner: F,
            watched: Option<WatchedCall>,
            rules: Rules,
        },
        Rejected {
            rejected: Option<Rejected>,
        },
    }
}

impl<F, M> GrpcResponseFuture<F, M> {
    pub(crate) fn permitted(inner: F, watched: WatchedCall, rules: Rules) -> Self {
        Self { call: Call::Permitted { inner, watched: Some(watched), rules }, mode: PhantomData }
    }

    pub(crate) fn rejected(rejected: Rejected) -> Self {
        Self { call: Call::Rejected { rejected: Some(rejected) }, mode: PhantomData }
    }
}

impl<F, M, B, E> Future for GrpcResponseFuture<F, M>
where
    F: Future<Output = Result<Response<B>, E>>,
    M: Answer<B, E>,
    B: Body,
{
    type Output = Result<Response<WatchedBody<B>>, M::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProjection::Permitted { inner, watched, rules } => {
                let call = watched.as_mut().expect("not polled after it was done");
                let result = ready!(call.poll_with(|| inner.poll(cx)));
                let call = watched.take().expect("it was there a line ago");
                Poll::Ready(call.finish(rules, result.map_err(M::inner)))
            }
            CallProjection::Rejected { rejected } => {
                Poll::Ready(M::reject(rejected.take().expect("not polled after it was done")))
            }
        }
    }
}

impl<F, M> fmt::Debug for GrpcResponseFuture<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = matches!(self.call, Call::Rejected { .. });
        f.debug_struct("GrpcResponseFuture").field("rejected", &rejected).finish_non_exhaustive()
    }
}
