use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::Limit;
use crate::on_reject::OnReject;

pin_project! {
    /// The future of a call of a [`LimitService`](crate::LimitService).
    ///
    /// Waits for a permit if necessary, makes the call, and holds the permit until the call completes.
    ///
    /// # Panics
    ///
    /// May panic if it is polled after completion, and if it has to wait outside a tokio runtime with a timer.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before completion, it leaves the queue or releases its permit.
    #[must_use = "futures do nothing unless polled"]
    pub struct LimitFuture<S, L, M, Request>
    where
        S: Service<Request>,
        L: Limit<Request>,
        M: OnReject<Request, S::Response, S::Error>,
    {
        #[pin]
        step: Step<S, L, M, Request>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<S, L, M, Request>
    where
        S: Service<Request>,
        L: Limit<Request>,
        M: OnReject<Request, S::Response, S::Error>,
    {
        Waiting {
            #[pin]
            acquire: L::Acquire,
            call: Option<(S, Request, M)>,
        },
        Readying {
            service: S,
            call: Option<(Request, L::Permit)>,
        },
        Calling {
            #[pin]
            inner: S::Future,
            permit: Option<L::Permit>,
        },
    }
}

impl<S, L, M, Request> LimitFuture<S, L, M, Request>
where
    S: Service<Request>,
    L: Limit<Request>,
    M: OnReject<Request, S::Response, S::Error>,
{
    pub(super) fn waiting(acquire: L::Acquire, service: S, request: Request, mode: M) -> Self {
        Self { step: Step::Waiting { acquire, call: Some((service, request, mode)) } }
    }

    pub(super) fn readying(service: S, request: Request, permit: L::Permit) -> Self {
        Self { step: Step::Readying { service, call: Some((request, permit)) } }
    }

    #[inline]
    pub(super) fn calling(inner: S::Future, permit: L::Permit) -> Self {
        Self { step: Step::Calling { inner, permit: Some(permit) } }
    }
}

impl<S, L, M, Request> Future for LimitFuture<S, L, M, Request>
where
    S: Service<Request>,
    L: Limit<Request>,
    M: OnReject<Request, S::Response, S::Error>,
{
    type Output = Result<S::Response, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            match step.as_mut().project() {
                StepProjection::Waiting { acquire, call } => {
                    let acquired = ready!(acquire.poll(cx));
                    let (service, request, mode) =
                        call.take().expect("`LimitFuture` polled after completion");
                    match acquired {
                        // Made ready only with a permit: a service that is ready and waits for a turn would keep
                        // its reservation from others.
                        Ok(permit) => step.set(Step::Readying { service, call: Some((request, permit)) }),
                        Err(rejected) => return Poll::Ready(mode.reject(rejected, request)),
                    }
                }
                StepProjection::Readying { service, call } => {
                    let ready = ready!(service.poll_ready(cx));
                    let (request, permit) = call.take().expect("`LimitFuture` polled after completion");
                    // The permit is dropped here, so that the slot is free again.
                    if let Err(error) = ready {
                        return Poll::Ready(Err(M::map_error(error)));
                    }
                    let inner = service.call(request);
                    step.set(Step::Calling { inner, permit: Some(permit) });
                }
                StepProjection::Calling { inner, permit } => {
                    let result = ready!(inner.poll(cx));
                    // Released on completion, as the caller may drop the future much later.
                    *permit = None;
                    return Poll::Ready(result.map_err(M::map_error));
                }
            }
        }
    }
}

impl<S, L, M, Request> fmt::Debug for LimitFuture<S, L, M, Request>
where
    S: Service<Request>,
    L: Limit<Request>,
    M: OnReject<Request, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Waiting { .. } => "waiting",
            Step::Readying { .. } => "readying",
            Step::Calling { .. } => "calling",
        };
        f.debug_struct("LimitFuture").field("step", &step).finish_non_exhaustive()
    }
}
