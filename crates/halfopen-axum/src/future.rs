use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body as AxumBody;
use axum::response::Response;
use bytes::Bytes;
use halfopen::BoxError;
use halfopen_http::WatchedCall;
use halfopen_limit::BulkheadPermit;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::body::HeldBody;
use crate::rules::RouteRules;

pin_project! {
    /// The future of a [`RouteProtectionService`](crate::RouteProtectionService): the route's own under watch, or
    /// the response to a rejection.
    ///
    /// # Panics
    ///
    /// It may panic if it is polled again after it is ready.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the head of the response is there (the client has left), the call is abandoned and its slot
    /// is given back.
    #[must_use = "futures do nothing unless polled"]
    pub struct RouteFuture<F> {
        #[pin]
        step: Step<F>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<F> {
        Unprotected {
            #[pin]
            inner: F,
        },
        Permitted {
            #[pin]
            inner: F,
            call: Option<Watched>,
        },
        Answered {
            response: Option<Response>,
        },
    }
}

/// The parts of a permitted call that is not yet settled.
struct Watched {
    call: WatchedCall,
    slot: Option<BulkheadPermit>,
    rules: RouteRules,
}

impl<F> RouteFuture<F> {
    pub(crate) fn unprotected(inner: F) -> Self {
        Self { step: Step::Unprotected { inner } }
    }

    pub(crate) fn permitted(
        inner: F,
        call: WatchedCall,
        slot: Option<BulkheadPermit>,
        rules: RouteRules,
    ) -> Self {
        Self { step: Step::Permitted { inner, call: Some(Watched { call, slot, rules }) } }
    }

    pub(crate) fn answered(response: Response) -> Self {
        Self { step: Step::Answered { response: Some(response) } }
    }
}

impl<F, B> Future for RouteFuture<F>
where
    F: Future<Output = Result<http::Response<B>, Infallible>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().step.project() {
            StepProjection::Unprotected { inner } => {
                ready!(inner.poll(cx)).map(|response| response.map(AxumBody::new))
            }
            StepProjection::Permitted { inner, call } => {
                let watched = call.as_mut().expect("not polled after it was ready");
                let result = ready!(watched.call.poll_with(|| inner.poll(cx)));
                call.take().expect("it was there a line ago").finish(result)
            }
            StepProjection::Answered { response } => {
                Ok(response.take().expect("not polled after it was ready"))
            }
        })
    }
}

impl Watched {
    fn finish<B>(self, result: Result<http::Response<B>, Infallible>) -> Result<Response, Infallible>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Watched { call, slot, rules } = self;
        let response = call.finish(&rules, result)?;
        // Nothing to stream: the slot is free with the head, and the body needs no wrapper.
        if response.body().is_end_stream() {
            return Ok(response.map(AxumBody::new));
        }
        Ok(response.map(|body| AxumBody::new(HeldBody::new(body, slot))))
    }
}

impl<F> fmt::Debug for RouteFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Unprotected { .. } => "Unprotected",
            Step::Permitted { .. } => "Permitted",
            Step::Answered { .. } => "Answered",
        };
        f.debug_struct("RouteFuture").field("step", &step).finish_non_exhaustive()
    }
}
