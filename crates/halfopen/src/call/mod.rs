//! Calls through a breaker.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

#[cfg(feature = "macros")]
mod attribute;
mod classified;
mod protected;
#[cfg(feature = "stream")]
mod stream;
mod stream_end;

#[cfg(feature = "macros")]
pub use attribute::circuit_breaker;
pub use classified::{Classified, ClassifiedFn};
pub use protected::{CircuitProtected, Protected, ProtectedFn};
#[cfg(feature = "stream")]
pub use stream::CircuitBreakerStream;
pub use stream_end::StreamEnd;

use crate::breaker::{CircuitBreaker, Permit};
use crate::classify::{Classify, ErrorsFail};
use crate::error::{CircuitBreakerError, Rejected};
use crate::outcome::Outcome;

impl CircuitBreaker {
    /// Makes a call if the breaker admits it; every `Err` is a failure.
    ///
    /// A timeout belongs inside `operation`: a call that hangs then ends as a failure and can open the breaker. A
    /// timeout around this method only drops the future, which abandons the call. By default an abandoned call is not
    /// recorded, so a dependency that hangs never opens the breaker. With
    /// [`Abandoned::FailureAfter`](crate::Abandoned::FailureAfter) it counts as a failure.
    ///
    /// # Errors
    ///
    /// Returns [`CircuitBreakerError::Rejected`] if the call was not made, and [`CircuitBreakerError::Inner`] if
    /// it was made and failed.
    ///
    /// # Panics
    ///
    /// Panics if `operation` panics. The panic counts as a failure and continues to unwind.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it completes abandons the call and releases its permit.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use halfopen::{CircuitBreaker, CircuitBreakerError};
    ///
    /// let breaker = CircuitBreaker::builder("greeter").build();
    /// let greeting = breaker.call(|| async { Ok::<_, std::io::Error>("hello") }).await;
    /// assert_eq!(greeting.unwrap(), "hello");
    ///
    /// breaker.force_open();
    /// let refused = breaker.call(|| async { Ok::<_, std::io::Error>("hello") }).await;
    /// assert!(matches!(refused, Err(CircuitBreakerError::Rejected(_))));
    /// # }
    /// ```
    pub async fn call<F, Fut, T, E>(&self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let (permit, result) = self.watch(operation).await?;
        permit.record(ErrorsFail.classify(&result));
        result.map_err(CircuitBreakerError::Inner)
    }

    /// Like [`call`](Self::call), with a closure that classifies the result.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`call`](Self::call). The caller always receives the result of the operation,
    /// however it is classified.
    pub async fn call_classified<F, Fut, T, E, C>(
        &self,
        operation: F,
        classify: C,
    ) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        C: Fn(&Result<T, E>) -> Outcome,
    {
        self.call_with(operation, &classify).await
    }

    /// Like [`call`](Self::call), with a named, shared or `dyn` classifier.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`call`](Self::call).
    pub async fn call_with<F, Fut, T, E, C>(
        &self,
        operation: F,
        classify: &C,
    ) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        C: Classify<T, E> + ?Sized,
    {
        let (permit, result) = self.watch(operation).await?;
        permit.settle(&result, classify);
        result.map_err(CircuitBreakerError::Inner)
    }

    /// Makes the call, and returns its result together with the permit, which the caller must end.
    async fn watch<F, Fut, R>(&self, operation: F) -> Result<(Permit<'_>, R), Rejected>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = R>,
    {
        let permit = self.try_acquire()?;
        // The permit is on this stack while the closure runs, so a panic in it drops the permit.
        let operation = operation();
        Ok(Watched { operation: pin!(operation), permit: Some(permit) }.await)
    }

    /// Makes a call, and returns the value of the infallible `fallback` if the call is rejected or fails.
    pub async fn call_or_else<F, Fut, G, Fut2, T, E>(&self, operation: F, fallback: G) -> T
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        G: FnOnce(CircuitBreakerError<E>) -> Fut2,
        Fut2: Future<Output = T>,
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
    {
        match self.call(operation).await {
            Ok(value) => Ok(value),
            Err(error) => fallback(error).await,
        }
    }

    /// Makes a call in blocking code; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// Panics if `operation` panics. The panic counts as a failure and continues to unwind.
    pub fn call_blocking<F, T, E>(&self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Result<T, E>,
    {
        let permit = self.try_acquire()?;
        let result = operation();
        // As in `call`: no classifier of the user's is asked, so no panic need be caught.
        permit.record(ErrorsFail.classify(&result));
        result.map_err(CircuitBreakerError::Inner)
    }

    /// Like [`call_blocking`](Self::call_blocking), with a named, shared or `dyn` classifier.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// Panics if `operation` panics. The panic counts as a failure and continues to unwind.
    pub fn call_blocking_with<F, T, E, C>(
        &self,
        operation: F,
        classify: &C,
    ) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        C: Classify<T, E> + ?Sized,
    {
        let permit = self.try_acquire()?;
        let result = operation();
        permit.settle(&result, classify);
        result.map_err(CircuitBreakerError::Inner)
    }
}

/// Polls the operation with the permit on the stack, so that unwinding drops the permit and records a failure.
struct Watched<'a, 'b, Fut> {
    operation: Pin<&'a mut Fut>,
    permit: Option<Permit<'b>>,
}

impl<'b, Fut: Future> Future for Watched<'_, 'b, Fut> {
    type Output = (Permit<'b>, Fut::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // On this stack while the operation runs: if it panics, the permit is dropped by the unwinding, which is a
        // failure (S6). Left in the struct, it would be dropped as abandoned.
        let permit = self.permit.take().expect("polled after completion");
        match self.operation.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready((permit, result)),
            Poll::Pending => {
                self.permit = Some(permit);
                Poll::Pending
            }
        }
    }
}

impl<Fut> Drop for Watched<'_, '_, Fut> {
    /// Abandons the call if it is dropped between two polls, even while the thread panics for another reason (S6).
    fn drop(&mut self) {
        // Between polls a panic is not the call's: its task may be dropped because another future in it panicked.
        if let Some(permit) = self.permit.take() {
            permit.abandon();
        }
    }
}
