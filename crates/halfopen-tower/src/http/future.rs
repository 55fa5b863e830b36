use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use halfopen::Classify;
use halfopen_http::{ClassifyHead, WatchedBody, WatchedCall};
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::on_reject::OnReject;

pin_project! {
    /// The future of a call of an [`HttpCircuitBreakerService`](crate::HttpCircuitBreakerService).
    ///
    /// # Panics
    ///
    /// May panic if it is polled after completion.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it has returned the head of the response, the call is abandoned, and a probe releases
    /// its slot. If the request's own deadline has passed by then, the call is a failure instead.
    #[must_use = "futures do nothing unless polled"]
    pub struct HttpResponseFuture<F, C, M, Request, T, E> {
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
            watched: Option<WatchedCall>,
            rules: C,
        },
        Rejected {
            answer: Option<Result<T, E>>,
        },
    }
}

impl<F, C, M, Request, T, E> HttpResponseFuture<F, C, M, Request, T, E> {
    /// Creates the future of a permitted call. `call` calls the inner service.
    // The inner future is created where it stays: it holds a whole response if the inner service answers immediately.
    #[inline(always)]
    pub(crate) fn permitted(mut watched: WatchedCall, rules: C, call: impl FnOnce() -> F) -> Self {
        // Inside the watch, so that a panic of the inner `call` is recorded as a failure.
        let inner = watched.poll_with(call);
        Self { call: Call::Permitted { inner, watched: Some(watched), rules }, mode: PhantomData }
    }

    pub(crate) fn rejected(answer: Result<T, E>) -> Self {
        Self { call: Call::Rejected { answer: Some(answer) }, mode: PhantomData }
    }
}

impl<F, C, M, Request, B, E> Future for HttpResponseFuture<F, C, M, Request, Response<B>, M::Error>
where
    F: Future<Output = Result<Response<B>, E>>,
    C: ClassifyHead + Classify<Response<B>, M::Error>,
    M: OnReject<Request, Response<B>, E>,
    B: Body,
{
    type Output = Result<Response<WatchedBody<B>>, M::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProjection::Permitted { inner, watched, rules } => {
                // Left in place while the inner future is polled: the watched call handles a panic in it by itself.
                let call = watched.as_mut().expect("`HttpResponseFuture` polled after completion");
                let result = ready!(call.poll_with(|| inner.poll(cx)));
                let call = watched.take().expect("`as_mut` has returned it above");
                Poll::Ready(call.finish(rules, result.map_err(M::map_error)))
            }
            CallProjection::Rejected { answer } => {
                let answer = answer.take().expect("`HttpResponseFuture` polled after completion");
                Poll::Ready(answer.map(|response| response.map(WatchedBody::unwatched)))
            }
        }
    }
}

impl<F, C, M, Request, T, E> fmt::Debug for HttpResponseFuture<F, C, M, Request, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = matches!(self.call, Call::Rejected { .. });
        f.debug_struct("HttpResponseFuture").field("rejected", &rejected).finish_non_exhaustive()
    }
}
