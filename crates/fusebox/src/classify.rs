use std::sync::Arc;
use std::time::Duration;

use crate::Outcome;

/// Says how a call ended, from its result.
///
/// Any `Fn(&Result<T, E>) -> Outcome` is one. It only borrows the result and runs on the path of
/// every call, so it should not allocate. If it panics, the panic is caught and counted and the
/// default holds: `Ok` is a success, `Err` a failure.
///
/// # Examples
///
/// ```
/// use fusebox::{Classify, Outcome};
///
/// fn not_found_is_an_answer(result: &Result<u32, std::io::Error>) -> Outcome {
///     match result {
///         Ok(_) => Outcome::Success,
///         Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outcome::Success,
///         Err(_) => Outcome::Failure,
///     }
/// }
///
/// assert_eq!(not_found_is_an_answer.classify(&Ok(1)), Outcome::Success);
/// ```
pub trait Classify<T, E> {
    /// How the call with this result ended.
    fn classify(&self, result: &Result<T, E>) -> Outcome;

    /// How long the other side asked us to stay away, if it did.
    ///
    /// Asked only of a failure. The hint can lengthen the wait of the opening that this failure
    /// causes, up to [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max), and never shortens it.
    fn retry_after(&self, result: &Result<T, E>) -> Option<Duration> {
        let _ = result;
        None
    }
}

impl<T, E, F: Fn(&Result<T, E>) -> Outcome> Classify<T, E> for F {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        self(result)
    }
}

// `Arc<C>` is no `Fn`, so a shared classifier needs its own impl.
impl<T, E, C: Classify<T, E> + ?Sized> Classify<T, E> for Arc<C> {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        (**self).classify(result)
    }

    fn retry_after(&self, result: &Result<T, E>) -> Option<Duration> {
        (**self).retry_after(result)
    }
}
