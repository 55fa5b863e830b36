use std::any::Any;

use halfopen::adapter::catch_panic;
use halfopen::{Classify, Outcome};
use halfopen_http::{WatchedCall, is_local};
use reqwest::{Body, Response, ResponseBuilderExt, Url};
use reqwest_middleware::{Error, Result};

use crate::classify::as_known_error;
use crate::rules::Rules;

/// Records the call unless its head is a success, which is left to the body.
pub(crate) fn finish(call: WatchedCall, rules: &Rules, result: Result<Response>) -> Result<Response> {
    // If the rules panic, `settle` runs them again, counts the panic and falls back to the default.
    let judged = catch_panic(|| Classify::<Response, Error>::classify(rules, &result));
    match (judged, result) {
        // Only a success waits for its body; any other outcome is decided by the head.
        (Some(Outcome::Success), Ok(response)) => Ok(watched(call, response)),
        (Some(_) | None, result) => {
            call.settle(&result, rules);
            result
        }
    }
}

/// Returns [`Outcome::Ignored`] for an error of the body that the caller's own side caused.
pub(crate) fn outcome_of_error(error: &dyn Any) -> Option<Outcome> {
    as_known_error(error).is_some_and(is_local).then_some(Outcome::Ignored)
}

/// Returns the response with a body that records the call.
fn watched(call: WatchedCall, response: Response) -> Response {
    // The conversion to a response of `http` and back loses the URL, which reqwest keeps as an extension.
    let url = response.url().clone();
    let mut response = call.watch_body(http::Response::from(response)).map(Body::wrap);
    response.extensions_mut().extend(as_extension(url));
    Response::from(response)
}

/// Preserves the URL of a response, which the conversion to `http::Response` loses. It survives only in an
/// extension of a private type, which only this builder can create.
fn as_extension(url: Url) -> http::Extensions {
    let carrier = http::Response::builder().url(url).body(()).expect("an empty response is valid");
    carrier.into_parts().0.extensions
}
