use halfopen::Outcome;
use http::Response;
use http_body::Body;

use crate::{GrpcClassify, HttpClassify, TypedErrors};

/// What the head of a response says about how the call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl<C: ClassifyHead> ClassifyHead for TypedErrors<C> {
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head {
        self.0.classify_head(response, timed_out)
    }
}
