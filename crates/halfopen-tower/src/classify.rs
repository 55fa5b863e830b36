use std::convert::Infallible;

use halfopen::{Classify, Outcome, OwnedPermit};

use crate::OnReject;
use crate::on_reject::FindLocal;
use crate::sealed::Sealed;

/// Records the outcome of a call by its result.
///
/// Sealed; public so that a bound can be written.
pub trait RecordOutcome<Request, T, E, M: OnReject<Request, T, E>>: Sealed {
    /// Records how the call ended, and returns its result with the error of the service.
    ///
    /// # Errors
    ///
    /// The call's own error, in the form that `M` gives it.
    fn record(&self, permit: OwnedPermit, result: Result<T, E>) -> Result<T, M::Error>;
}

/// Every `Err` is a failure, except one that was made on this side of the network, which is ignored: a rejection
/// by another breaker, a bulkhead or a rate limit, and (feature `load-shed`) a shed of tower's `LoadShed`.
///
/// With boxed errors it is found wherever [`is_local`](crate::is_local) finds it. With
/// [`typed_errors`](crate::CircuitBreakerLayer::typed_errors) and
/// [`on_rejected`](crate::CircuitBreakerLayer::on_rejected) the error is not boxed and may be anything, so it is
/// found in a `BoxError`, an `io::Error`, a `Rejected`, and a `CircuitBreakerError` of one of the first two; for an
/// error type of your own use `.classify(halfopen::errors())`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultClassify;

/// The user's classifier: [`CircuitBreakerLayer::classify`](crate::CircuitBreakerLayer::classify).
#[derive(Clone, Copy, Debug, Default)]
pub struct Custom<C>(pub(crate) C);

impl Sealed for DefaultClassify {}
impl<C> Sealed for Custom<C> {}

impl<Request, T, E, M: FindLocal<Request, T, E>> RecordOutcome<Request, T, E, M> for DefaultClassify {
    #[inline(always)]
    fn record(&self, permit: OwnedPermit, result: Result<T, E>) -> Result<T, M::Error> {
        match result {
            Ok(response) => {
                permit.success();
                Ok(response)
            }
            Err(error) => Err(record_error::<Request, T, E, M>(permit, error)),
        }
    }
}

impl<Request, T, E, M, C> RecordOutcome<Request, T, E, M> for Custom<C>
where
    M: OnReject<Request, T, E>,
    C: Classify<T, E>,
{
    #[inline]
    fn record(&self, permit: OwnedPermit, result: Result<T, E>) -> Result<T, M::Error> {
        permit.settle(&result, &self.0);
        result.map_err(M::map_error)
    }
}

// Out of line, so that the path of a success stays short.
#[inline(never)]
fn record_error<Request, T, E, M: FindLocal<Request, T, E>>(permit: OwnedPermit, error: E) -> M::Error {
    // Mapped first: a boxed error can be walked whatever type it was before.
    let result = Err::<Infallible, _>(M::map_error(error));
    permit.settle(&result, &|result: &Result<Infallible, M::Error>| match result {
        Err(error) if M::is_local(error) => Outcome::Ignored,
        Ok(_) | Err(_) => Outcome::Failure,
    });
    match result {
        Ok(never) => match never {},
        Err(error) => error,
    }
}
