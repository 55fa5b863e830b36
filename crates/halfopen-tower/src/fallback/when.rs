use crate::local::is_local_any;
use crate::sealed::Sealed;

/// Selects the errors that a fallback answers.
///
/// This trait is sealed. It is public so that it can be named in bounds.
pub trait When<E>: Sealed {
    /// Returns `true` if the fallback answers the error.
    fn matches(&self, error: &E) -> bool;
}

/// Selects [local](crate::is_local) errors: rejections by a circuit breaker, a bulkhead or a rate limit, and shed
/// calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnRejection;

/// Selects the errors for which a function returns `true`: [`FallbackLayer::when`](crate::FallbackLayer::when).
#[derive(Clone, Copy, Debug)]
pub struct OnErrors<C>(pub(super) C);

impl Sealed for OnRejection {}
impl<C> Sealed for OnErrors<C> {}

impl<E: 'static> When<E> for OnRejection {
    fn matches(&self, error: &E) -> bool {
        is_local_any(error)
    }
}

impl<E, C: Fn(&E) -> bool> When<E> for OnErrors<C> {
    fn matches(&self, error: &E) -> bool {
        (self.0)(error)
    }
}
