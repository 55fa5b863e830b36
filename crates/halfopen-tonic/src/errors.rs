//! The outcomes of the errors of gRPC calls.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use halfopen::adapter::{error_as, error_chain};
use halfopen::{CircuitBreakerError, Outcome};
use halfopen_http::{GrpcClassify, GrpcCode, as_error, is_local};
use tonic::{Code, Status, TimeoutExpired};

/// Returns the outcome of a call that failed without a response, or [`None`] if the type of the error is unknown.
///
/// An error of the transport is not converted to a status first, because its code depends on the features of tonic:
/// without `server` every reset is an Unknown, with `server` a reset can be a Cancelled.
pub(crate) fn outcome_of_call(error: &dyn Any, rules: GrpcClassify) -> Option<Outcome> {
    // Unknown types are left to the rules of HTTP, which treat any error as a failure.
    let error = grpc_error(error)?;
    if is_local(error) {
        return Some(Outcome::Ignored);
    }
    let status = error.downcast_ref::<Status>()?;
    // The status comes from a layer between this one and the channel. It is not known whether the server was called,
    // so that a code that is no failure is no success either.
    let outcome = outcome_of_status(status, rules);
    Some(if outcome.is_failure() { outcome } else { Outcome::Ignored })
}

/// Returns [`Outcome::Ignored`] for a local error in the body of a response, and [`None`] for all others, which are
/// failures.
pub(crate) fn outcome_of_body(error: &dyn Any) -> Option<Outcome> {
    grpc_error(error).is_some_and(is_local).then_some(Outcome::Ignored)
}

/// Returns the outcome of an error by the status in its chain. An error without a status is a failure.
pub(crate) fn outcome_of_error(error: &(dyn Error + 'static), rules: GrpcClassify) -> Outcome {
    if is_local(error) {
        return Outcome::Ignored;
    }
    status_in(error).map_or(Outcome::Failure, |status| outcome_of_status(status, rules))
}

/// Returns the outcome of a status: by its source if it was created from an error, and by its code if the peer sent
/// it.
pub(crate) fn outcome_of_status(status: &Status, rules: GrpcClassify) -> Outcome {
    // In this order: a status made of a rejection carries a code of failure, and one of an expired timeout has a
    // source.
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

/// Returns the outermost status in the chain of an error.
pub(crate) fn status_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Status> {
    error_chain(error).find_map(|error| {
        // Generated code and users box statuses for their size; a box is a type of its own.
        let boxed = error.downcast_ref::<Box<Status>>().map(|status| &**status);
        let shared = error.downcast_ref::<Arc<Status>>().map(|status| &**status);
        error.downcast_ref::<Status>().or(boxed).or(shared)
    })
}

/// Returns the error in a value of any type, or [`None`] if the type is unknown.
///
/// The known types are those of [`as_error`], and [`Status`], also in a box, an [`Arc`] or a [`CircuitBreakerError`].
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
        // A code that a later version of the client adds.
        .unwrap_or(GrpcCode::Unknown)
}
