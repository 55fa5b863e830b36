use halfopen::{Outcome, OwnedPermit};
use http::{HeaderMap, Response};
use http_body::Body;

use crate::{GrpcClassify, HttpClassify, TypedErrors, WatchedCall, grpc_timeout};

/// What the head of a response says about how the call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head {
    /// All there is to know: the body changes nothing.
    Decided(Outcome),
    /// A success, if the body comes to its end as well.
    IfBodyEnds,
    /// Nothing yet: the `grpc-status` in the trailers will say it, by these rules.
    InTrailers(GrpcClassify),
}

/// Rules that can judge the head of a response and say what of the body still matters.
///
/// [`HttpClassify`] and [`GrpcClassify`] are such rules; an adapter can bring its own.
pub trait ClassifyHead {
    /// What this head says. `timed_out`: the request's own deadline has passed.
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head;

    /// Begins to watch the call of a request with these headers; by default without a deadline.
    fn watch(&self, permit: OwnedPermit, headers: &HeaderMap) -> WatchedCall {
        let _ = headers;
        WatchedCall::new(permit)
    }
}

impl ClassifyHead for HttpClassify {
    fn classify_head<B: Body>(&self, response: &Response<B>, _timed_out: bool) -> Head {
        match self.outcome(response.status()) {
            Outcome::Success if !response.body().is_end_stream() => Head::IfBodyEnds,
            outcome => Head::Decided(outcome),
        }
    }
}

impl ClassifyHead for GrpcClassify {
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head {
        match GrpcClassify::code_at_head(response) {
            Some(code) => Head::Decided(self.outcome_in_time(code, timed_out)),
            None => Head::InTrailers(*self),
        }
    }

    /// With the deadline that the request carries in `grpc-timeout`.
    fn watch(&self, permit: OwnedPermit, headers: &HeaderMap) -> WatchedCall {
        let call = WatchedCall::new(permit);
        match grpc_timeout(headers) {
            Some(timeout) => call.timeout(timeout),
            None => call,
        }
    }
}

impl<C: ClassifyHead> ClassifyHead for TypedErrors<C> {
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head {
        self.0.classify_head(response, timed_out)
    }

    fn watch(&self, permit: OwnedPermit, headers: &HeaderMap) -> WatchedCall {
        self.0.watch(permit, headers)
    }
}
