use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use halfopen::{CircuitBreakerError, Rejected, rejection};

use crate::BoxError;
use crate::sealed::Sealed;

/// How the inner service's error `E` becomes the error of the service around it.
///
/// Sealed; here so that a bound can be written.
pub trait ErrorMode<E>: Sealed {
    /// The error of the service.
    type Error;

    /// Passes an error of the inner service on.
    fn inner(error: E) -> Self::Error;
}

/// Errors are a [`BoxError`]; a rejection is a boxed [`Rejected`], and the inner error is passed on
/// as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boxed;

/// Errors are a [`CircuitBreakerError`]:
/// [`CircuitBreakerLayer::typed_errors`](crate::CircuitBreakerLayer::typed_errors).
#[derive(Clone, Copy, Debug, Default)]
pub struct Typed;

/// A rejection is answered by a function:
/// [`CircuitBreakerLayer::on_rejected`](crate::CircuitBreakerLayer::on_rejected).
pub struct Answered<A> {
    // Shared, so that the closure need not be `Clone`.
    pub(crate) answer: Arc<A>,
}

impl<A> Answered<A> {
    pub(crate) fn new(answer: A) -> Self {
        Self { answer: Arc::new(answer) }
    }
}

impl<A> Clone for Answered<A> {
    fn clone(&self) -> Self {
        Self { answer: Arc::clone(&self.answer) }
    }
}

impl<A> fmt::Debug for Answered<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").finish_non_exhaustive()
    }
}

impl Sealed for Boxed {}
impl Sealed for Typed {}
impl<A> Sealed for Answered<A> {}

impl<E: Into<BoxError>> ErrorMode<E> for Boxed {
    type Error = BoxError;

    #[inline]
    fn inner(error: E) -> BoxError {
        error.into()
    }
}

impl<E> ErrorMode<E> for Typed {
    type Error = CircuitBreakerError<E>;

    #[inline]
    fn inner(error: E) -> CircuitBreakerError<E> {
        CircuitBreakerError::Inner(error)
    }
}

impl<E, A> ErrorMode<E> for Answered<A> {
    type Error = E;

    #[inline]
    fn inner(error: E) -> E {
        error
    }
}

/// Finds a rejection in an error of the inner service that the mode has already passed on (S7).
///
/// Apart from [`ErrorMode`], because only the default classifier asks, and it asks for more bounds.
pub trait SeeRejection<E>: ErrorMode<E> {
    /// Whether the error is, or holds, another breaker's rejection.
    fn holds_rejection(error: &Self::Error) -> bool;
}

impl<E: Into<BoxError>> SeeRejection<E> for Boxed {
    fn holds_rejection(error: &BoxError) -> bool {
        rejection(&**error).is_some()
    }
}

impl<E: 'static> SeeRejection<E> for Typed {
    fn holds_rejection(error: &CircuitBreakerError<E>) -> bool {
        match error {
            CircuitBreakerError::Rejected(_) => true,
            CircuitBreakerError::Inner(error) => is_rejection(error),
        }
    }
}

impl<E: 'static, A> SeeRejection<E> for Answered<A> {
    fn holds_rejection(error: &E) -> bool {
        is_rejection(error)
    }
}

/// Looks into the error types that can carry a rejection and are known here.
///
/// `E` has no bound but `'static`, so an error of the caller's own cannot be walked:
/// `.classify(halfopen::errors())` does that for every `E: Error + 'static`.
fn is_rejection<E: 'static>(error: &E) -> bool {
    let error: &dyn Any = error;
    as_error(error).is_some_and(|error| rejection(error).is_some())
}

fn as_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(boxed) = error.downcast_ref::<BoxError>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error>>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = error.downcast_ref::<CircuitBreakerError<BoxError>>() {
        return Some(match boxed {
            CircuitBreakerError::Rejected(rejected) => rejected,
            CircuitBreakerError::Inner(error) => &**error,
        });
    }
    if let Some(rejected) = error.downcast_ref::<Arc<Rejected>>() {
        return Some(&**rejected);
    }
    downcast::<Rejected>(error)
        .or_else(|| downcast::<io::Error>(error))
        .or_else(|| downcast::<CircuitBreakerError<io::Error>>(error))
}

fn downcast<E: Error + 'static>(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<E>().map(|error| error as &(dyn Error + 'static))
}

/// A mode as a type only: a future has no use for the value.
pub(crate) type ModeOf<M> = PhantomData<fn() -> M>;
