use crate::local::is_local_any;
use crate::sealed::Sealed;

/// Which errors are answered.
///
/// Sealed; here so that a bound can be written.
pub trait When<E>: Sealed {
    /// Returns true if the error is answered.
    fn names(&self, error: &E) -> bool;
}

/// Rejections on this side: by a circuit breaker, a bulkhead, a rate limit, a load shed
/// ([`is_local`](crate::is_local)).
#[derive(Clone, Copy, Debug, Default)]
pub struct OnRejection;

/// The errors that a function names: [`FallbackLayer::when`](crate::FallbackLayer::when).
#[derive(Clone, Copy, Debug)]
pub struct OnErrors<C>(pub(super) C);

impl Sealed for OnRejection {}
impl<C> Sealed for OnErrors<C> {}

impl<E: 'static> When<E> for OnRejection {
    fn names(&self, error: &E) -> bool {
        is_local_any(error)
    }
}

impl<E, C: Fn(&E) -> bool> When<E> for OnErrors<C> {
    fn names(&self, error: &E) -> bool {
        (self.0)(error)
    }
}
