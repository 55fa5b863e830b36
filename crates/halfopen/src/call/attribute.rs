/// Makes every call of a function through the breaker of a name.
///
/// The attribute accepts functions and methods that return a `Result`: `async fn`, functions that block, functions that
/// return `impl Future<Output = Result<..>>`, and methods below `#[async_trait]`. It expands to the call that a person
/// would write, [`CircuitBreaker::call`](crate::CircuitBreaker::call) or
/// [`call_blocking`](crate::CircuitBreaker::call_blocking) around the body, with all their guarantees: every `Err` is a
/// failure, a panic is one, and a dropped future is an abandoned call. It boxes no future and allocates nothing for an
/// existing breaker, and the future is [`Send`] if that of the plain function is. A `return` or `?` in the body ends the
/// body, and the breaker records the result.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use halfopen::{Registry, Rejected, circuit_breaker};
///
/// #[derive(Debug)]
/// enum PaymentError {
///     Declined,
///     Unavailable(Rejected),
/// }
///
/// impl From<Rejected> for PaymentError {
///     fn from(rejected: Rejected) -> Self {
///         PaymentError::Unavailable(rejected)
///     }
/// }
///
/// #[circuit_breaker("payment_service")]
/// async fn charge(cents: u64) -> Result<u64, PaymentError> {
///     if cents > 100_000 { Err(PaymentError::Declined) } else { Ok(cents) }
/// }
///
/// assert_eq!(charge(100).await.unwrap(), 100);
///
/// Registry::global().get_or_create("payment_service").force_open();
/// assert!(matches!(charge(100).await, Err(PaymentError::Unavailable(_))));
/// # }
/// ```
///
/// # Arguments
///
/// The name comes first: a string literal, or a constant. All others are optional.
///
/// | argument | value | default |
/// |---|---|---|
/// | `registry` | an expression: a [`Registry`], a reference to one, or anything with its method `get_or_create` | [`Registry::global()`] |
/// | `error` | a function from [`Rejected`] to the error of the function | `From<Rejected>` |
/// | `fallback` | an (async) function from [`CircuitBreakerError`] to the result of the function | no fallback |
/// | `classify` | a [`Classify`], such as a function of the result | every `Err` is a failure |
/// | `crate` | the path of this crate, where a program has renamed it or another crate exports it | `::halfopen` |
///
/// All but `crate` are expressions in the scope of the function: `registry = self.registry` and
/// `fallback = |error| self.cached(error)` are possible. The breaker is looked up in each call, and created by the
/// rules of the registry if there is none of its name.
///
/// ```
/// use std::io;
///
/// use halfopen::{CircuitBreakerError, Outcome, Registry, circuit_breaker};
///
/// struct Users {
///     registry: Registry,
///     cached: u32,
/// }
///
/// fn not_found_is_an_answer(result: &io::Result<u32>) -> Outcome {
///     match result {
///         Err(error) if error.kind() != io::ErrorKind::NotFound => Outcome::Failure,
///         _ => Outcome::Success,
///     }
/// }
///
/// impl Users {
///     #[circuit_breaker(
///         "users",
///         registry = self.registry,
///         classify = not_found_is_an_answer,
///         fallback = |error| self.cached(error)
///     )]
///     fn count(&self, table: &str) -> io::Result<u32> {
///         std::fs::read_to_string(table)?.trim().parse().map_err(io::Error::other)
///     }
///
///     fn cached(&self, _error: CircuitBreakerError<io::Error>) -> io::Result<u32> {
///         Ok(self.cached)
///     }
///
///     #[circuit_breaker("users", registry = self.registry, error = io::Error::other)]
///     fn delete(&self) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// let users = Users { registry: Registry::new(), cached: 7 };
/// assert_eq!(users.count("/no/such/table").unwrap(), 7);
/// assert_eq!(users.registry.get("users").unwrap().snapshot().totals.failures, 0);
///
/// users.registry.get("users").unwrap().force_open();
/// assert_eq!(users.delete().unwrap_err().to_string(), "circuit breaker `users` is forced open by an operator");
/// ```
///
/// # The error of the function
///
/// A rejection becomes an error of the function: by `From<Rejected>`, which `Box<dyn Error + Send + Sync>`,
/// `anyhow::Error` and `eyre::Report` have, or by `error`. If the function returns `CircuitBreakerError<E>`, written
/// with this name, its body returns `E`, and the rejection is kept as it is:
///
/// ```
/// use halfopen::{CircuitBreakerError, circuit_breaker};
/// use std::io;
///
/// #[circuit_breaker("forecasts")]
/// fn forecast() -> Result<String, CircuitBreakerError<io::Error>> {
///     let text = std::fs::read_to_string("/no/forecast")?; // an `io::Error`
///     Ok(text)
/// }
///
/// assert!(matches!(forecast(), Err(CircuitBreakerError::Inner(_))));
/// ```
///
/// Where functions with breakers of their own call each other, the rejection of the inner one is a failure of the
/// outer one, as any `Err` is. `classify = halfopen::errors()` ignores rejections.
///
/// [`CircuitBreakerError`]: crate::CircuitBreakerError
/// [`Classify`]: crate::Classify
/// [`Registry`]: crate::Registry
/// [`Registry::global()`]: crate::Registry::global
/// [`Rejected`]: crate::Rejected
///
/// # Panics
///
/// The function panics if its body panics. The panic counts as a failure and continues to unwind.
///
/// # Cancel safety
///
/// Same as [`CircuitBreaker::call`](crate::CircuitBreaker::call): a dropped call is abandoned.
pub use halfopen_macros::circuit_breaker;
