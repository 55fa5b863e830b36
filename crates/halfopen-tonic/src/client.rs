use std::fmt;

use halfopen::{CircuitBreaker, CircuitBreakerError};
use halfopen_http::GrpcClassify;
use tonic::Status;

use crate::{StatusClassify, rejected_status};

/// A generated client whose calls are protected by a circuit breaker.
///
/// For clients whose channel cannot be layered, and for calls that consist of several requests, such as a retry or a
/// lookup followed by a read. The outcome is that of the `Result`, classified by [`StatusClassify`]. A
/// [`GrpcCircuitBreakerLayer`](crate::GrpcCircuitBreakerLayer) around the channel additionally sees the deadline of a
/// request and the end of a stream.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
/// use halfopen_tonic::ResilientGrpcClient;
/// use tonic::{Code, Response, Status};
///
/// // Stands for a client that tonic generates.
/// #[derive(Clone)]
/// struct InventoryClient;
/// impl InventoryClient {
///     async fn pieces(&mut self, article: u32) -> Result<Response<u32>, Status> {
///         if article == 0 { Err(Status::unavailable("restarting")) } else { Ok(Response::new(3)) }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build()?;
/// let inventory = ResilientGrpcClient::new(InventoryClient, CircuitBreaker::new("inventory", config));
///
/// let pieces = inventory.call(|mut client| async move { client.pieces(7).await }).await?;
/// assert_eq!(pieces.into_inner(), 3);
///
/// inventory.call(|mut client| async move { client.pieces(0).await }).await.unwrap_err();
/// let status = inventory.call(|mut client| async move { client.pieces(7).await }).await.unwrap_err();
/// assert_eq!(status.code(), Code::Unavailable);
/// assert_eq!(halfopen::rejection(&status).unwrap().name(), "inventory");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ResilientGrpcClient<C> {
    client: C,
    breaker: CircuitBreaker,
    classify: StatusClassify,
}

impl<C> ResilientGrpcClient<C> {
    /// Creates a client whose calls are protected by `breaker`.
    pub fn new(client: C, breaker: CircuitBreaker) -> ResilientGrpcClient<C> {
        ResilientGrpcClient { client, breaker, classify: StatusClassify::default() }
    }

    /// Sets the rules that classify status codes.
    pub fn classify(mut self, rules: GrpcClassify) -> ResilientGrpcClient<C> {
        self.classify = StatusClassify::new(rules);
        self
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns a reference to the inner client. Calls on it bypass the breaker.
    pub fn get_ref(&self) -> &C {
        &self.client
    }
}

impl<C: Clone> ResilientGrpcClient<C> {
    /// Calls `operation` with a clone of the client. The clients of tonic are cheap to clone.
    ///
    /// # Errors
    ///
    /// Returns the status of the operation, or a [`rejected_status`](crate::rejected_status) if the breaker rejects
    /// the call. [`halfopen::rejection`] finds the rejection in it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before completion, the call is abandoned, and a probe releases its slot.
    pub async fn call<F, Fut, T>(&self, operation: F) -> Result<T, Status>
    where
        F: FnOnce(C) -> Fut,
        Fut: Future<Output = Result<T, Status>>,
    {
        // The client is cloned only if the call is admitted.
        let called = self.breaker.call_with(|| operation(self.client.clone()), &self.classify).await;
        called.map_err(|error| match error {
            CircuitBreakerError::Rejected(rejected) => rejected_status(rejected),
            CircuitBreakerError::Inner(status) => status,
        })
    }
}

impl<C> fmt::Debug for ResilientGrpcClient<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResilientGrpcClient").field("breaker", &self.breaker.name()).finish_non_exhaustive()
    }
}
