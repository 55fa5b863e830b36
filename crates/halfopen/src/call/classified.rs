//! A breaker combined with a classifier.

use std::fmt;
use std::future::Future;

use crate::breaker::CircuitBreaker;
use crate::classify::Classify;
use crate::error::CircuitBreakerError;

impl CircuitBreaker {
    /// Returns a handle to this breaker that classifies all calls with `classifier`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use halfopen::{CircuitBreaker, failure_if};
    /// use std::io::{Error, ErrorKind};
    ///
    /// let breaker = CircuitBreaker::builder("files").build();
    /// let files = breaker.classified(failure_if(|error: &Error| error.kind() != ErrorKind::NotFound));
    ///
    /// let missing = || Err::<(), _>(Error::from(ErrorKind::NotFound));
    /// files.call_blocking(missing).unwrap_err();
    /// files.call_or_else(|| async move { missing() }, |_| async {}).await;
    /// assert_eq!(breaker.snapshot().totals.failures, 0, "a response, both times");
    /// # }
    /// ```
    pub fn classified<C>(&self, classifier: C) -> Classified<C> {
        Classified { breaker: self.clone(), classifier }
    }
}

/// A breaker and the classifier of its calls; returned by [`CircuitBreaker::classified`].
///
/// All clones share the breaker. Cloning is cheap if the classifier is cheap to clone.
#[derive(Clone)]
pub struct Classified<C> {
    breaker: CircuitBreaker,
    classifier: C,
}

impl<C> Classified<C> {
    /// Makes a call if the breaker admits it.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`CircuitBreaker::call`].
    ///
    /// # Cancel safety
    ///
    /// Same as [`CircuitBreaker::call`]: a dropped call is abandoned.
    pub async fn call<F, Fut, T, E>(&self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        C: Classify<T, E>,
    {
        self.breaker.call_with(operation, &self.classifier).await
    }

    /// Like [`call`](Self::call), for blocking code.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`CircuitBreaker::call`].
    ///
    /// # Panics
    ///
    /// Panics if `operation` panics. The panic counts as a failure and continues to unwind.
    pub fn call_blocking<F, T, E>(&self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        C: Classify<T, E>,
    {
        self.breaker.call_blocking_with(operation, &self.classifier)
    }

    /// Makes a call, and returns the value of the infallible `fallback` if the call is rejected or fails.
    pub async fn call_or_else<F, Fut, G, Fut2, T, E>(&self, operation: F, fallback: G) -> T
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        G: FnOnce(CircuitBreakerError<E>) -> Fut2,
        Fut2: Future<Output = T>,
        C: Classify<T, E>,
    {
        match self.call(operation).await {
            Ok(value) => value,
            Err(error) => fallback(error).await,
        }
    }

    /// Makes a call, and returns the result of `fallback` if the call is rejected or fails.
    ///
    /// The fallback runs outside the breaker: it needs no permit, and its outcome is not recorded.
    ///
    /// # Errors
    ///
    /// Returns the errors of the fallback.
    pub async fn call_with_fallback<F, Fut, G, Fut2, T, E, E2>(
        &self,
        operation: F,
        fallback: G,
    ) -> Result<T, E2>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        G: FnOnce(CircuitBreakerError<E>) -> Fut2,
        Fut2: Future<Output = Result<T, E2>>,
        C: Classify<T, E>,
    {
        match self.call(operation).await {
            Ok(value) => Ok(value),
            Err(error) => fallback(error).await,
        }
    }

    /// Wraps an async function with one argument (a tuple for several), so that its calls go through the breaker.
    pub fn wrap<F>(&self, function: F) -> ClassifiedFn<F, C>
    where
        C: Clone,
    {
        ClassifiedFn { function, classified: self.clone() }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns the classifier.
    pub fn classifier(&self) -> &C {
        &self.classifier
    }
}

/// An async function behind a breaker and a classifier; returned by [`Classified::wrap`].
#[derive(Clone)]
pub struct ClassifiedFn<F, C> {
    function: F,
    classified: Classified<C>,
}

impl<F, C> ClassifiedFn<F, C> {
    /// Calls the function if the breaker admits the call.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`CircuitBreaker::call`].
    ///
    /// # Cancel safety
    ///
    /// Same as [`CircuitBreaker::call`]: a dropped call is abandoned.
    pub async fn call<A, Fut, T, E>(&self, argument: A) -> Result<T, CircuitBreakerError<E>>
    where
        F: Fn(A) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        C: Classify<T, E>,
    {
        self.classified.call(|| (self.function)(argument)).await
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.classified.breaker
    }
}

impl<C> fmt::Debug for Classified<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classified").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

impl<F, C> fmt::Debug for ClassifiedFn<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassifiedFn").field("breaker", self.breaker()).finish_non_exhaustive()
    }
}
