use std::convert::Infallible;

use halfopen::adapter::AnyPermit;
use halfopen::{Classify, Outcome};

use crate::on_reject::{FindLocal, OnReject};
use crate::sealed::Sealed;

/// Classifies the result of a call and records it.
///
/// This trait is sealed. It is public so that it can be named in bounds.
pub trait RecordOutcome<Request, T, E, M: OnReject<Request, T, E>>: Sealed {
    /// Records the outcome of `result`, and returns the result with its error mapped by `M`.
    ///
    /// # Errors
    ///
    /// Returns the error of `result`, mapped by [`OnReject::map_error`].
    fn record<P: AnyPermit>(&self, permit: P, result: Result<T, E>) -> Result<T, M::Error>;
}

/// The default classifier: every `Err` is a failure, except a local error, which is ignored.
///
/// Local errors are rejections by another breaker, a bulkhead or a rate limit, and, with feature `load-shed`, calls
/// that tower's `LoadShed` has shed. Boxed errors are searched as by [`is_local`](crate::is_local). With
/// [`typed_errors`](crate::CircuitBreakerLayer::typed_errors) and
/// [`on_rejected`](crate::CircuitBreakerLayer::on_rejected) errors are not boxed and can be of any type, so that only
/// a `BoxError`, an `io::Error`, a `Rejected`, and a `CircuitBreakerError` of one of the first two are searched. For
/// other error types use `.classify(halfopen::errors())`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultClassify;

/// A classifier of the user's: [`CircuitBreakerLayer::classify`](crate::CircuitBreakerLayer::classify).
#[derive(Clone, Copy, Debug, Default)]
pub struct Custom<C>(pub(crate) C);

impl Sealed for DefaultClassify {}
impl<C> Sealed for Custom<C> {}

impl<Request, T, E, M: FindLocal<Request, T, E>> RecordOutcome<Request, T, E, M> for DefaultClassify {
    #[inline(always)]
    fn record<P: AnyPermit>(&self, permit: P, result: Result<T, E>) -> Result<T, M::Error> {
        match result {
            Ok(response) => {
                permit.success();
                Ok(response)
            }
            Err(error) => Err(record_error::<Request, T, E, M, P>(permit, error)),
        }
    }
}

impl<Request, T, E, M, C> RecordOutcome<Request, T, E, M> for Custom<C>
where
    M: OnReject<Request, T, E>,
    C: Classify<T, E>,
{
    #[inline]
    fn record<P: AnyPermit>(&self, permit: P, result: Result<T, E>) -> Result<T, M::Error> {
        permit.settle(&result, &self.0);
        result.map_err(M::map_error)
    }
}

// Not inlined, so that the code of a success stays small.
#[inline(never)]
fn record_error<Request, T, E, M, P>(permit: P, error: E) -> M::Error
where
    M: FindLocal<Request, T, E>,
    P: AnyPermit,
{
    // Mapped before it is classified: a boxed error can be searched whatever its original type is.
    let result = Err::<Infallible, _>(M::map_error(error));
    permit.settle(&result, &|result: &Result<Infallible, M::Error>| match result {
        Err(error) if M::is_local(error) => Outcome::Ignored,
        Ok(_) | Err(_) => Outcome::Failure,
    });
    match result {
        // A response cannot come here: the type has no value.
        Ok(never) => match never {},
        Err(error) => error,
    }
}
