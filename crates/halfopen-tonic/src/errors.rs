//! What an error of a gRPC call means.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use halfopen::adapter::{error_as, error_chain};
use halfopen::{CircuitBreakerError, Outcome};
use halfopen_http::{GrpcClassify, GrpcCode, as_error, is_local};
use tonic::{Code, Status, TimeoutExpired};

/// What the error of a call that brought no answer means; [`None`] if its type is unknown here.
///
/// Errors of the transport fail whatever code tonic would make of them: without its `server` feature
/// every reset is an Unknown, with it a reset can be a Cancelled.
pub(crate) fn outcome_of_call(error: &dyn Any, rules: GrpcClassify) -> Option<Outcome> {
    let error = grpc_error(error)?;
    if is_local(error) {
        return Some(Outcome::Ignored);
    }
    let status = error.downcast_ref::<Status>()?;
    // A layer between here and the channel has answered itself. Whether the server was asked is unknown, so that a
    // success would be made up.
    let outcome = outcome_of_status(status, rules);
    Some(if outcome.is_failure() { outcome } else { Outcome::Ignored })
}

/// What an error in the body of an answer means; [`None`] if it is a failure like any other.
pub(crate) fn outcome_of_body(error: &dyn Any) -> Option<Outcome> {
    grpc_error(error).is_some_and(is_local).then_some(Outcome::Ignored)
}

/// What an error means that may hold a status, anywhere in its chain; a failure if it holds none.
pub(crate) fn outcome_of_error(error: &(dyn Error + 'static), rules: GrpcClassify) -> Outcome {
    if is_local(error) {
        return Outcome::Ignored;
    }
    status_in(error).map_or(Outcome::Failure, |status| outcome_of_status(status, rules))
}

/// What a status means: by its code if the peer sent it, and if it was made of an error, by that.
pub(crate) fn outcome_of_status(status: &Status, rules: GrpcClassify) -> Outcome {
    if is_local(status) {
        Outcome::Ignored
    } else if error_chain(status).any(|error| error.is::<TimeoutExpired>()) {
        rules.outcome_after_timeout(code_of(status))
    } else if status.source().is_some() {
        Outcome::Failure
    } else {
        rules.outcome(code_of(status))
    }
}

/// The outermost status in an error's chain.
pub(crate) fn status_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    error_chain(error).find_map(|error| {
        let boxed = error.downcast_ref::<Box<Status>>().map(|status| &**status);
        let shared = error.downcast_ref::<Arc<Status>>().map(|status| &**status);
        error.downcast_ref::<Status>().or(boxed).or(shared)
    })
}

/// The error in a value that may be anything: those of clients, boxed or not, and a status in a box or a
/// [`CircuitBreakerError`].
pub(crate) fn grpc_error(value: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error_as::<Status>(value)
        .or_else(|| error_as::<Box<Status>>(value))
        .or_else(|| error_as::<Arc<Status>>(value))
        .or_else(|| error_as::<CircuitBreakerError<Status>>(value))
        .or_else(|| as_error(value))
}

fn code_of(status: &Status) -> GrpcCode {
    let number: i32 = Code::into(status.code());
    usize::try_from(number)
        .ok()
        .and_then(|number| GrpcCode::ALL.get(number))
        .copied()
        .unwrap_or(GrpcCode::Unknown)
}
