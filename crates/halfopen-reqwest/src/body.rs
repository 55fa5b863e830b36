use std::any::Any;

use halfopen::adapter::catch_panic;
use halfopen::{Classify, Outcome};
use halfopen_http::{WatchedCall, is_local};
use reqwest::{Body, Response, ResponseBuilderExt, Url};
use reqwest_middleware::{Error, Result};

use crate::classify::as_known_error;
use crate::middleware::Rules;

/// Records what is not a success at its head, and leaves the rest to the body.
pub(crate) fn finish(call: WatchedCall, rules: &Rules, result: Result<Response>) -> Result<Response> {
    // A panic in the rules is for `settle` to meet again, which counts it and falls back.
    let judged = catch_panic(|| Classify::<Response, Error>::classify(rules, &result));
    match (judged, result) {
        (Some(Outcome::Success), Ok(response)) => Ok(watched(call, response)),
        (Some(_) | None, result) => {
            call.settle(&result, rules);
            result
        }
    }
}

/// What an error of a body means; [`None`] where it is a failure as any other.
pub(crate) fn outcome_of_error(error: &dyn Any) -> Option<Outcome> {
    as_known_error(error).is_some_and(is_local).then_some(Outcome::Ignored)
}

/// The same response with a body that records how it ends.
fn watched(call: WatchedCall, response: Response) -> Response {
    let url = response.url().clone();
    let mut response = call.watch_body(http::Response::from(response)).map(Body::wrap);
    response.extensions_mut().extend(as_extension(url));
    Response::from(response)
}

/// On its way through `http::Response` a response loses its URL, unless it lies in an extension whose
/// type only this builder knows.
fn as_extension(url: Url) -> http::Extensions {
    let carrier = http::Response::builder().url(url).body(()).expect("an empty response is valid");
    carrier.into_parts().0.extensions
}
