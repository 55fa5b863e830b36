use std::future::Future;

use crate::breaker::CircuitBreaker;
use crate::error::CircuitBreakerError;
use crate::word::State;

/// A client with an optional breaker.
///
/// Intended for a struct that owns a client, if its configuration decides whether a breaker protects it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use halfopen::{CircuitBreaker, Protected};
///
/// struct Users;
/// impl Users {
///     async fn name(&self, id: u32) -> Result<String, std::io::Error> {
///         Ok(format!("user {id}"))
///     }
/// }
///
/// let users = Protected::new(Users, CircuitBreaker::builder("users").build());
/// let name = users.call(|users| users.name(7)).await;
/// assert_eq!(name.unwrap(), "user 7");
/// assert!(users.is_healthy());
///
/// let bare = Protected::unprotected(Users);
/// assert_eq!(bare.call(|users| users.name(8)).await.unwrap(), "user 8");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Protected<C> {
    client: C,
    breaker: Option<CircuitBreaker>,
}

impl<C> Protected<C> {
    /// Creates a client with a breaker, or without one if `breaker` is [`None`].
    pub fn new(client: C, breaker: impl Into<Option<CircuitBreaker>>) -> Protected<C> {
        Protected { client, breaker: breaker.into() }
    }

    /// Creates a client without a breaker: every call is made.
    pub fn unprotected(client: C) -> Protected<C> {
        Protected { client, breaker: None }
    }

    /// Makes a call with the client, through the breaker if there is one; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`CircuitBreaker::call`]; without a breaker always [`CircuitBreakerError::Inner`].
    ///
    /// # Cancel safety
    ///
    /// Same as [`CircuitBreaker::call`]: a dropped call is abandoned.
    pub async fn call<'a, F, Fut, T, E>(&'a self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce(&'a C) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        match &self.breaker {
            Some(breaker) => breaker.call(|| operation(&self.client)).await,
            None => operation(&self.client).await.map_err(CircuitBreakerError::Inner),
        }
    }

    /// Like [`call`](Self::call), for blocking code.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`call`](Self::call).
    pub fn call_blocking<F, T, E>(&self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce(&C) -> Result<T, E>,
    {
        match &self.breaker {
            Some(breaker) => breaker.call_blocking(|| operation(&self.client)),
            None => operation(&self.client).map_err(CircuitBreakerError::Inner),
        }
    }

    /// Returns the state of the breaker. Without a breaker it is [`State::Disabled`], which behaves the same.
    pub fn state(&self) -> State {
        self.breaker.as_ref().map_or(State::Disabled, CircuitBreaker::state)
    }

    /// Returns true if every call is admitted: the breaker is closed, disabled or in metrics-only, or there is none.
    pub fn is_healthy(&self) -> bool {
        self.breaker.as_ref().is_none_or(is_healthy)
    }

    /// Returns the breaker, or [`None`] if there is none.
    pub fn breaker(&self) -> Option<&CircuitBreaker> {
        self.breaker.as_ref()
    }

    /// Returns the client, for calls that bypass the breaker.
    pub fn client(&self) -> &C {
        &self.client
    }

    /// Returns the client and drops the breaker.
    pub fn into_inner(self) -> C {
        self.client
    }
}

/// A type that owns a breaker, for code that is generic over such types.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use halfopen::{CircuitBreaker, CircuitBreakerError, CircuitProtected};
/// use std::io;
///
/// struct Alerts {
///     breaker: CircuitBreaker,
/// }
///
/// impl CircuitProtected for Alerts {
///     fn circuit_breaker(&self) -> &CircuitBreaker {
///         &self.breaker
///     }
/// }
///
/// impl Alerts {
///     async fn fetch(&self) -> Result<u32, CircuitBreakerError<io::Error>> {
///         self.execute_protected(|| async { Ok(3) }).await
///     }
/// }
///
/// let alerts = Alerts { breaker: CircuitBreaker::builder("alerts").build() };
/// assert_eq!(alerts.fetch().await.unwrap(), 3);
///
/// let all: Vec<&dyn CircuitProtected> = vec![&alerts];
/// assert!(all.iter().all(|one| one.is_healthy()));
/// # }
/// ```
pub trait CircuitProtected {
    /// Returns the breaker.
    fn circuit_breaker(&self) -> &CircuitBreaker;

    /// Returns the state of the breaker.
    fn circuit_state(&self) -> State {
        self.circuit_breaker().state()
    }

    /// Returns true if every call is admitted: the breaker is closed, disabled or in metrics-only.
    fn is_healthy(&self) -> bool {
        is_healthy(self.circuit_breaker())
    }

    /// Makes a call through the breaker; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`CircuitBreaker::call`].
    fn execute_protected<F, Fut, T, E>(
        &self,
        operation: F,
    ) -> impl Future<Output = Result<T, CircuitBreakerError<E>>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        Self: Sized,
    {
        self.circuit_breaker().call(operation)
    }
}

fn is_healthy(breaker: &CircuitBreaker) -> bool {
    // Half-open is not healthy: only a few calls are admitted.
    match breaker.state() {
        State::Closed | State::Disabled | State::MetricsOnly => true,
        State::Open | State::HalfOpen | State::ForcedOpen => false,
    }
}

impl CircuitBreaker {
    /// Wraps an async function with one argument (a tuple for several), so that its calls go through the breaker.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use halfopen::CircuitBreaker;
    ///
    /// async fn double(n: u32) -> Result<u32, std::io::Error> {
    ///     Ok(2 * n)
    /// }
    ///
    /// let double = CircuitBreaker::builder("doubler").build().wrap(double);
    /// assert_eq!(double.call(4).await.unwrap(), 8);
    /// assert_eq!(double.call(5).await.unwrap(), 10);
    /// # }
    /// ```
    pub fn wrap<F>(&self, function: F) -> ProtectedFn<F> {
        ProtectedFn { function, breaker: self.clone() }
    }
}

/// An async function behind a breaker; returned by [`CircuitBreaker::wrap`].
#[derive(Clone, Debug)]
pub struct ProtectedFn<F> {
    function: F,
    breaker: CircuitBreaker,
}

impl<F> ProtectedFn<F> {
    /// Calls the function if the breaker admits the call; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`CircuitBreaker::call`].
    ///
    /// # Cancel safety
    ///
    /// Same as [`CircuitBreaker::call`]: a dropped call is abandoned.
    // A method instead of an `impl AsyncFn`, whose future could not be spawned: it cannot be bounded by `Send`.
    pub async fn call<A, Fut, T, E>(&self, argument: A) -> Result<T, CircuitBreakerError<E>>
    where
        F: Fn(A) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.breaker.call(|| (self.function)(argument)).await
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }
}

/// Evaluates an expression, which may contain `.await`, as a call through a breaker.
///
/// `with_circuit_breaker!(breaker, expression)` expands to `breaker.call(|| async { expression }).await`. The
/// expression must be a `Result`. It is not evaluated if the breaker rejects the call, and a `return` or `?`
/// in it ends only the expression. The macro must be used in an async function or block.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use halfopen::{CircuitBreaker, with_circuit_breaker};
///
/// async fn answer() -> Result<u32, std::io::Error> { Ok(42) }
///
/// let breaker = CircuitBreaker::builder("oracle").build();
/// let answer = with_circuit_breaker!(breaker, answer().await);
/// assert_eq!(answer.unwrap(), 42);
/// # }
/// ```
#[macro_export]
macro_rules! with_circuit_breaker {
    ($breaker:expr, $expression:expr $(,)?) => {
        $crate::CircuitBreaker::call(&$breaker, || async { $expression }).await
    };
}
