use std::fmt;
use std::sync::Weak;

use crate::CircuitBreaker;
use crate::breaker::Inner;

/// A handle that keeps no breaker alive, made by [`CircuitBreaker::downgrade`].
///
/// For whoever looks after breakers without using them: a registry evicts a breaker only if nobody
/// holds it, and who holds one weakly does not count.
///
/// # Examples
///
/// ```
/// use fusebox::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// let weak = breaker.downgrade();
/// assert!(weak.is(&breaker));
/// assert!(weak.upgrade().is_some());
///
/// drop(breaker);
/// assert!(weak.upgrade().is_none());
/// ```
#[derive(Clone)]
pub struct WeakCircuitBreaker(Weak<Inner>);

impl CircuitBreaker {
    /// A handle that keeps this breaker from nothing: neither from its end nor from being evicted.
    pub fn downgrade(&self) -> WeakCircuitBreaker {
        WeakCircuitBreaker(self.weak())
    }
}

impl WeakCircuitBreaker {
    /// The breaker, if anybody else still holds it.
    ///
    /// A registry may let go of a breaker some time after it was evicted or removed: that one is found
    /// here, and not there.
    pub fn upgrade(&self) -> Option<CircuitBreaker> {
        self.0.upgrade().map(CircuitBreaker::from_inner)
    }

    /// Whether this is a handle of that breaker, and not of another with the same name.
    pub fn is(&self, breaker: &CircuitBreaker) -> bool {
        self.0.ptr_eq(&breaker.weak())
    }
}

impl fmt::Debug for WeakCircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakCircuitBreaker").field(&self.upgrade()).finish()
    }
}
