use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body as AxumBody;
use axum::response::Response;
use bytes::Bytes;
use halfopen::BoxError;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::body::HeldBody;
use crate::place::Permitted;

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
            permitted: Option<Permitted>,
        },
        Answered {
            response: Option<Response>,
        },
    }
}

impl<F> RouteFuture<F> {
    pub(crate) fn unprotected(inner: F) -> Self {
        Self { step: Step::Unprotected { inner } }
    }

    #[inline(always)]
    pub(crate) fn permitted(inner: F, permitted: Permitted) -> Self {
        Self { step: Step::Permitted { inner, permitted: Some(permitted) } }
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
            StepProjection::Permitted { inner, permitted } => {
                let call = &mut permitted.as_mut().expect("not polled after it was ready").call;
                let result = ready!(call.poll_with(|| inner.poll(cx)));
                permitted.take().expect("it was there a line ago").finish(result)
            }
            StepProjection::Answered { response } => {
                Ok(response.take().expect("not polled after it was ready"))
            }
        })
    }
}

impl Permitted {
    fn finish<B>(self, result: Result<http::Response<B>, Infallible>) -> Result<Response, Infallible>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Permitted { call, slot, route } = self;
        call.finish_with(route.rules(), result, |body| {
            // Only as much around the body as it needs: each wrapper moves it once more and is polled for each frame.
            match (slot, body.is_watched()) {
                (None, true) => AxumBody::new(body),
                // Decided by its head: there is nothing to watch.
                (None, false) => AxumBody::new(body.into_inner()),
                // The slot is free already: there is nothing to stream while it is held.
                (Some(_), false) if body.is_end_stream() => AxumBody::new(body.into_inner()),
                (slot @ Some(_), _) => AxumBody::new(HeldBody::new(body, slot)),
            }
        })
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
