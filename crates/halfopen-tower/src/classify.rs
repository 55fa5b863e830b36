use std::convert::Infallible;

use halfopen::{Classify, Outcome, OwnedPermit};

use crate::mode::{ErrorMode, SeeRejection};
use crate::sealed::Sealed;

/// Settles a permit by a call's result, and passes the result on in the mode's error type.
///
/// Sealed; here so that a bound can be written.
pub trait Judge<T, E, M: ErrorMode<E>>: Sealed {
    /// Records how the call ended.
    ///
    /// # Errors
    ///
    /// The call's own error, as the mode passes it on.
    fn judge(&self, permit: OwnedPermit, result: Result<T, E>) -> Result<T, M::Error>;
}

/// Every `Err` is a failure, except a rejection by another breaker, which says nothing about the
/// service and is ignored.
///
/// With boxed errors a rejection is found wherever [`halfopen::rejection`] finds one. With
/// [`typed_errors`](crate::CircuitBreakerLayer::typed_errors) and
/// [`on_rejected`](crate::CircuitBreakerLayer::on_rejected) the error is not boxed and may be anything, so
/// it is found in a `BoxError`, an `io::Error`, a `Rejected`, and a `CircuitBreakerError` of one of the first
/// two; for an error type of your own say `.classify(halfopen::errors())`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultClassify;

/// The user's classifier: [`CircuitBreakerLayer::classify`](crate::CircuitBreakerLayer::classify).
#[derive(Clone, Copy, Debug, Default)]
pub struct Custom<C>(pub(crate) C);

impl Sealed for DefaultClassify {}
impl<C> Sealed for Custom<C> {}

impl<T, E, M: SeeRejection<E>> Judge<T, E, M> for DefaultClassify {
    #[inline(always)]
    fn judge(&self, permit: OwnedPermit, result: Result<T, E>) -> Result<T, M::Error> {
        match result {
            Ok(response) => {
                permit.success();
                Ok(response)
            }
            Err(error) => Err(failed::<E, M>(permit, error)),
        }
    }
}

impl<T, E, M: ErrorMode<E>, C: Classify<T, E>> Judge<T, E, M> for Custom<C> {
    #[inline]
    fn judge(&self, permit: OwnedPermit, result: Result<T, E>) -> Result<T, M::Error> {
        permit.settle(&result, &self.0);
        result.map_err(M::inner)
    }
}

/// Apart, so that the way of a success stays short.
#[inline(never)]
fn failed<E, M: SeeRejection<E>>(permit: OwnedPermit, error: E) -> M::Error {
    // The mode first: a boxed error can be looked into whatever it was before.
    let result = Err::<Infallible, _>(M::inner(error));
    permit.settle(&result, &|result: &Result<Infallible, M::Error>| match result {
        Err(error) if M::holds_rejection(error) => Outcome::Ignored,
        Ok(_) | Err(_) => Outcome::Failure,
    });
    match result {
        Ok(never) => match never {},
        Err(error) => error,
    }
}
