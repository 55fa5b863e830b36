use std::time::Duration;

use halfopen::{Classify, Outcome, Rejected};
use halfopen_http::{ClassifyHead, Head, HttpClassify};
use http::Response;
use http_body::Body;

/// The rules of a route: its statuses, except that the response to a rejection is no outcome of the route's work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteRules(pub(crate) HttpClassify);

impl RouteRules {
    /// Every 5xx is a failure, everything else a success.
    pub(crate) fn server_errors() -> RouteRules {
        let rules = HttpClassify::all_succeed().rule(500..=599, Outcome::Failure);
        RouteRules(rules.expect("500 to 599 are statuses"))
    }
}

impl ClassifyHead for RouteRules {
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head {
        if is_rejection(response) {
            return Head::Decided(Outcome::Ignored);
        }
        self.0.classify_head(response, timed_out)
    }
}

impl<B, E: 'static> Classify<Response<B>, E> for RouteRules {
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        match result {
            Ok(response) if is_rejection(response) => Outcome::Ignored,
            Ok(_) | Err(_) => self.0.classify(result),
        }
    }

    fn retry_after(&self, result: &Result<Response<B>, E>) -> Option<Duration> {
        self.0.retry_after(result)
    }
}

fn is_rejection<B>(response: &Response<B>) -> bool {
    response.extensions().get::<Rejected>().is_some()
}
