use std::pin::Pin;
use std::task::{Context, Poll, ready};

use halfopen::{OwnedPermit, Rejected};
use halfopen_http::WatchedCall;
use http::{Extensions, Method};
use reqwest::{Request, Response};
use reqwest_middleware::{Next, Result};

use crate::breakers::Breakers;
use crate::redirect::Hops;
use crate::rules::Rules;
use crate::{body, error};

pub(crate) type BoxFuture<'a> = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

/// The future of a request through the middleware.
// Written by hand, as it is boxed for each request: an `async` block keeps the request, its copies and all that is used
// after it side by side, and allocators serve a box of more than a kilobyte from their slow lists.
pub(crate) struct RequestFuture<'a> {
    pub(crate) breakers: &'a Breakers,
    pub(crate) rules: &'a Rules,
    pub(crate) until_body_end: bool,
    pub(crate) step: Step<'a>,
}

pub(crate) enum Step<'a> {
    /// [`None`] once the request has been passed on or rejected.
    Start(Option<Start<'a>>),
    Called(Called<'a>),
}

/// A request that has not been polled yet.
pub(crate) struct Start<'a> {
    pub(crate) request: Request,
    pub(crate) extensions: &'a mut Extensions,
    pub(crate) next: Next<'a>,
}

/// A request that the breaker has permitted.
pub(crate) struct Called<'a> {
    work: BoxFuture<'a>,
    /// [`None`] if the breaker of the host that a redirect leads to has rejected the call.
    call: Option<WatchedCall>,
    hops: Option<Hops>,
    is_head: bool,
}

impl Future for RequestFuture<'_> {
    type Output = Result<Response>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Response>> {
        let this = self.get_mut();
        if let Step::Start(start) = &mut this.step {
            let start = start.take().expect("a future is not polled after completion");
            match start.call(this.breakers) {
                Ok(called) => this.step = Step::Called(called),
                Err(rejected) => return Poll::Ready(Err(error::rejected(rejected))),
            }
        }
        let Step::Called(called) = &mut this.step else { unreachable!("stored above") };
        let result = ready!(called.poll_work(this.rules, cx));
        Poll::Ready(match called.call.take() {
            Some(call) if this.until_body_end => body::finish(call, this.rules, result),
            Some(call) => {
                call.settle(&result, this.rules);
                result
            }
            None => result,
        })
    }
}

impl<'a> Start<'a> {
    fn call(self, breakers: &Breakers) -> std::result::Result<Called<'a>, Rejected> {
        let Start { request, extensions, next } = self;
        // Before anything else of the request runs: a rejected one costs neither a connection nor the middlewares
        // behind this one.
        let (permit, hops) = breakers.acquire(&request, extensions)?;
        let is_head = *request.method() == Method::HEAD;
        let call = watch(permit, is_head);
        let work = next.run(request, extensions);
        Ok(Called { work, call: Some(call), hops, is_head })
    }
}

impl Called<'_> {
    fn poll_work(&mut self, rules: &Rules, cx: &mut Context<'_>) -> Poll<Result<Response>> {
        let Called { work, call, hops, is_head } = self;
        match (hops, &mut *call) {
            (None, Some(call)) => call.poll_with(|| work.as_mut().poll(cx)),
            (hops, _) => {
                Hops::poll(hops, call, rules, |permit| watch(permit, *is_head), || work.as_mut().poll(cx))
            }
        }
    }
}

fn watch(permit: OwnedPermit, is_head: bool) -> WatchedCall {
    let call = WatchedCall::new(permit).body_errors(body::outcome_of_error);
    // A response to `HEAD` has no body to wait for.
    if is_head { call.method(&Method::HEAD) } else { call }
}
