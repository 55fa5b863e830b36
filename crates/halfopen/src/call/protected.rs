use std::future::Future;

use crate::breaker::CircuitBreaker;
use crate::error::CircuitBreakerError;
use crate::word::State;

/// A client and its breaker, or no breaker where none is configured.
///
/// For a struct that owns a client and lets its configuration say whether a breaker guards it.
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
    /// A client behind a breaker, or behind none.
    pub fn new(client: C, breaker: impl Into<Option<CircuitBreaker>>) -> Protected<C> {
        Protected { client, breaker: breaker.into() }
    }

    /// A client without a breaker: every call passes.
    pub fn unprotected(client: C) -> Protected<C> {
        Protected { client, breaker: None }
    }

    /// Makes a call with the client, through the breaker if there is one; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// As [`CircuitBreaker::call`]; without a breaker always [`CircuitBreakerError::Inner`].
    ///
    /// # Cancel safety
    ///
    /// As [`CircuitBreaker::call`]: a dropped call is abandoned.
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

    /// The same as [`call`](Self::call), without a future.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_blocking<F, T, E>(&self, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce(&C) -> Result<T, E>,
    {
        match &self.breaker {
            Some(breaker) => breaker.call_blocking(|| operation(&self.client)),
            None => operation(&self.client).map_err(CircuitBreakerError::Inner),
        }
    }

    /// The breaker's state; without a breaker [`State::Disabled`], which is how it behaves.
    pub fn state(&self) -> State {
        self.breaker.as_ref().map_or(State::Disabled, CircuitBreaker::state)
    }

    /// True if calls pass: closed, disabled, metrics-only, or no breaker.
    pub fn is_healthy(&self) -> bool {
        self.breaker.as_ref().is_none_or(is_healthy)
    }

    /// The breaker, if there is one.
    pub fn breaker(&self) -> Option<&CircuitBreaker> {
        self.breaker.as_ref()
    }

    /// The client itself, past the breaker.
    pub fn client(&self) -> &C {
        &self.client
    }

    /// The client, without its breaker.
    pub fn into_inner(self) -> C {
        self.client
    }
}

/// A type that owns a breaker, for code that is generic over protected things.
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
    /// The breaker.
    fn circuit_breaker(&self) -> &CircuitBreaker;

    /// The breaker's state.
    fn circuit_state(&self) -> State {
        self.circuit_breaker().state()
    }

    /// True if calls pass: closed, disabled or metrics-only.
    fn is_healthy(&self) -> bool {
        is_healthy(self.circuit_breaker())
    }

    /// Makes a call through the breaker; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// As [`CircuitBreaker::call`].
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
    match breaker.state() {
        State::Closed | State::Disabled | State::MetricsOnly => true,
        State::Open | State::HalfOpen | State::ForcedOpen => false,
    }
}

impl CircuitBreaker {
    /// Makes a protected function out of an async function of one argument (a tuple for more).
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

/// An async function behind a breaker; made by [`CircuitBreaker::wrap`].
#[derive(Clone, Debug)]
pub struct ProtectedFn<F> {
    function: F,
    breaker: CircuitBreaker,
}

impl<F> ProtectedFn<F> {
    /// Calls the function if the breaker admits it; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// As [`CircuitBreaker::call`].
    ///
    /// # Cancel safety
    ///
    /// As [`CircuitBreaker::call`]: a dropped call is abandoned.
    // A method and not an `impl AsyncFn`: a future of that could not be spawned.
    pub async fn call<A, Fut, T, E>(&self, argument: A) -> Result<T, CircuitBreakerError<E>>
    where
        F: Fn(A) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.breaker.call(|| (self.function)(argument)).await
    }

    /// The breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }
}

/// Evaluates an expression inside a call through a breaker; it may contain `.await`.
///
/// `with_circuit_breaker!(breaker, expression)` is `breaker.call(|| async { expression }).await`: the
/// expression is a `Result`, is not evaluated if the breaker rejects the call, and a `return` or `?`
/// in it ends the expression only. Must be used in an async function or block.
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
