use halfopen::{Outcome, OwnedPermit};
use http::{HeaderMap, Response};
use http_body::Body;

use crate::{GrpcClassify, HttpClassify, TypedErrors, WatchedCall, grpc_timeout};

/// The classification of the head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head {
    /// The outcome is final, regardless of the body.
    Decided(Outcome),
    /// The call is a success if the body completes.
    IfBodyEnds,
    /// These rules classify the call by the `grpc-status` in its trailers.
    InTrailers(GrpcClassify),
}

/// Classifies the head of a response, and decides whether the body matters.
///
/// Implemented by [`HttpClassify`] and [`GrpcClassify`]; an adapter can implement it for its own rules.
pub trait ClassifyHead {
    /// Classifies the head of `response`. `timed_out` is `true` if the deadline of the request has passed.
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head;

    /// Starts to watch the call of a request with these headers. The default implementation sets no
    /// deadline.
    fn watch(&self, permit: OwnedPermit, headers: &HeaderMap) -> WatchedCall {
        let _ = headers;
        WatchedCall::new(permit)
    }
}

impl ClassifyHead for HttpClassify {
    fn classify_head<B: Body>(&self, response: &Response<B>, _timed_out: bool) -> Head {
        match self.outcome_with(response.status(), response.headers()) {
            // Only a success waits for its body: a failure has been decided by the status, and its body is an
            // explanation.
            Outcome::Success if !response.body().is_end_stream() => Head::IfBodyEnds,
            outcome => Head::Decided(outcome),
        }
    }
}

impl ClassifyHead for GrpcClassify {
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head {
        match GrpcClassify::code_at_head(response) {
            Some(code) => Head::Decided(self.outcome_in_time(code, || timed_out)),
            None => Head::InTrailers(*self),
        }
    }

    /// Sets the deadline in the `grpc-timeout` of the request.
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
