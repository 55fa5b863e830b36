use std::panic::{AssertUnwindSafe, catch_unwind};

use halfopen::{Classify, Outcome};
use halfopen_http::WatchedCall;
use reqwest::{Body, Response, ResponseBuilderExt, Url};
use reqwest_middleware::{Error, Result};

use crate::middleware::Rules;

/// Records what is not a success at its head, and leaves the rest to the body.
pub(crate) fn finish(call: WatchedCall, rules: &Rules, result: Result<Response>) -> Result<Response> {
    // A panic in the rules is for `settle` to meet again, which counts it and falls back.
    let judged = catch_unwind(AssertUnwindSafe(|| Classify::<Response, Error>::classify(rules, &result)));
    match (judged, result) {
        (Ok(Outcome::Success), Ok(response)) => Ok(watched(call, response)),
        (Ok(_) | Err(_), result) => {
            call.settle(&result, rules);
            result
        }
    }
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
