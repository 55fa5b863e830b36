//! Calls through a breaker.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

mod classified;
mod protected;
#[cfg(feature = "stream")]
mod stream;
mod stream_end;

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
    /// A timeout belongs inside `operation`: then a hang ends as a failure and opens the breaker. A
    /// timeout around this call only drops it, which is an abandoned call: by default it counts as
    /// nothing and a dependency that hangs never opens the breaker; with
    /// [`Abandoned::FailureAfter`](crate::Abandoned::FailureAfter) it counts as a failure.
    ///
    /// # Errors
    ///
    /// [`CircuitBreakerError::Rejected`] if the call was not made, [`CircuitBreakerError::Inner`] if
    /// it was made and failed.
    ///
    /// # Panics
    ///
    /// If `operation` panics; the panic goes on unchanged and counts as a failure.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done abandons the call; nothing of the breaker is held.
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

    /// The same as [`call`](Self::call), with a closure that says what a result means.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call): the caller always gets what the operation returned, whatever it means
    /// to the breaker.
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

    /// The same as [`call`](Self::call), with a named, shared or `dyn` classifier.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
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

    /// Makes the call, and gives its result with the permit that is to be told of it.
    async fn watch<F, Fut, R>(&self, operation: F) -> Result<(Permit<'_>, R), Rejected>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = R>,
    {
        let permit = self.try_acquire()?;
        // A panic in the closure drops the permit on this very stack.
        let operation = operation();
        Ok(Watched { operation: pin!(operation), permit: Some(permit) }.await)
    }

    /// Makes a call, and if it was rejected or failed asks the fallback, which cannot fail.
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

    /// Makes a call, and if it was rejected or failed asks the fallback.
    ///
    /// The fallback runs outside the breaker: it needs no permit and its outcome is not recorded.
    ///
    /// # Errors
    ///
    /// Those of the fallback.
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

    /// Makes a call without a future; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// If `operation` panics; the panic goes on unchanged and counts as a failure.
    pub fn call_blocking<F, T, E>(&self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Result<T, E>,
    {
        self.call_blocking_with(operation, &ErrorsFail)
    }

    /// The same as [`call_blocking`](Self::call_blocking), with a named, shared or `dyn` classifier.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// If `operation` panics; the panic goes on unchanged and counts as a failure.
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

/// An operation whose panics its permit sees: it lies on the stack of the poll they come through.
struct Watched<'a, 'b, Fut> {
    operation: Pin<&'a mut Fut>,
    permit: Option<Permit<'b>>,
}

impl<'b, Fut: Future> Future for Watched<'_, 'b, Fut> {
    type Output = (Permit<'b>, Fut::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let permit = self.permit.take().expect("polled after it was ready");
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
    /// Between polls the permit waits here: dropped with the call it is abandoned, even if the
    /// thread is panicking over something else (S6).
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.abandon();
        }
    }
}
