//! What an error of a gRPC call means.

use std::any::Any;
use std::error::Error;

use halfopen::{BoxError, Outcome, rejection};
use halfopen_http::{GrpcClassify, GrpcCode};
use tonic::{Code, Status, TimeoutExpired};

/// How deep an error is searched; a chain longer than this is taken for a circle.
const DEPTH: usize = 64;

/// What the error of a call that brought no answer means; none if this is not known here.
///
/// Errors of the transport fail whatever code tonic would make of them: without its `server` feature
/// every reset is an Unknown, with it a reset can be a Cancelled.
pub(crate) fn outcome_of_call(error: &dyn Any, rules: GrpcClassify) -> Option<Outcome> {
    let error = as_error(error)?;
    if is_ours(error) {
        return Some(Outcome::Ignored);
    }
    let status = error.downcast_ref::<Status>()?;
    // A layer between here and the channel has answered itself. Whether the server was asked nobody
    // knows, so that a good word for it would be made up.
    Some(match outcome_of_status(status, rules) {
        Outcome::Failure => Outcome::Failure,
        Outcome::Ignored | Outcome::Success => Outcome::Ignored,
    })
}

/// What an error in the body of an answer means; none if it is a failure like any other.
pub(crate) fn outcome_of_body(error: &dyn Any) -> Option<Outcome> {
    as_error(error).is_some_and(is_ours).then_some(Outcome::Ignored)
}

/// What a status means: by its code if the peer said it, and if it was made of an error, by that.
pub(crate) fn outcome_of_status(status: &Status, rules: GrpcClassify) -> Outcome {
    if is_ours(status) {
        Outcome::Ignored
    } else if chain(status).any(|error| error.is::<TimeoutExpired>()) {
        rules.outcome_after_timeout(code_of(status))
    } else if status.source().is_some() {
        Outcome::Failure
    } else {
        rules.outcome(code_of(status))
    }
}

/// Whether nobody but ourselves ended the call: a breaker further in, or a caller that cancelled it.
fn is_ours(error: &(dyn Error + 'static)) -> bool {
    rejection(error).is_some() || is_cancelled_here(error)
}

/// A stream that was reset from this side (tonic's `CancellationHandle`) says nothing about the peer.
fn is_cancelled_here(error: &(dyn Error + 'static)) -> bool {
    chain(error)
        .filter_map(|error| error.downcast_ref::<h2::Error>())
        .any(|error| error.reason() == Some(h2::Reason::CANCEL) && !error.is_remote() && !error.is_library())
}

/// The error in a value that may be anything; a client's error types, boxed or not.
fn as_error(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(boxed) = any.downcast_ref::<BoxError>() {
        return Some(&**boxed);
    }
    any.downcast_ref::<Status>().map(|status| status as &(dyn Error + 'static))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source()).take(DEPTH)
}

fn code_of(status: &Status) -> GrpcCode {
    let number: i32 = Code::into(status.code());
    usize::try_from(number)
        .ok()
        .and_then(|number| GrpcCode::ALL.get(number))
        .copied()
        .unwrap_or(GrpcCode::Unknown)
}
