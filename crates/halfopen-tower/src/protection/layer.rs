use std::fmt;

use halfopen_limit::Protection;
use tower_layer::Layer;

use super::{Followed, ProtectionService, TimeoutService};
use crate::CircuitBreakerService;
use crate::classify::{Custom, DefaultClassify};
use crate::limit::LimitService;
use crate::on_reject::Boxed;

/// Protects a service by the breaker, the rate limit, the bulkhead and the timeout of a
/// [`Protection`](halfopen_limit::Protection), each call by those that it has then.
///
/// All services that the layer makes, and all their clones, share them. The order is that of the protection: rate
/// limit, bulkhead, breaker, timeout, call. Calls wait as with a [`BulkheadLayer`](crate::BulkheadLayer), and a full
/// bulkhead is not an error of `poll_ready`.
///
/// Errors are a [`BoxError`](crate::BoxError): a [`Rejected`](halfopen::Rejected), a
/// [`CallTimedOut`](super::CallTimedOut), which is a failure, or the inner service's own.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen::Registry;
/// use halfopen_limit::{Bulkhead, BulkheadConfig, Protection, ProtectionLimits};
/// use halfopen_tower::ProtectionLayer;
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), halfopen_tower::BoxError> {
/// let config = BulkheadConfig::builder().max_concurrent_calls(20).build()?;
/// let payments = Protection::new(&Registry::new(), "payments");
/// payments.set_limits(
///     ProtectionLimits::new()
///         .bulkhead(Bulkhead::new("payments", config))
///         .call_timeout(Duration::from_secs(5)),
/// );
///
/// let mut service = ServiceBuilder::new()
///     .layer(ProtectionLayer::new(payments.clone()))
///     .service_fn(|amount: u32| async move { Ok::<_, std::io::Error>(amount) });
/// assert_eq!(service.ready().await?.call(7).await?, 7);
///
/// payments.breaker().force_open();
/// let error = service.ready().await?.call(7).await.unwrap_err();
/// assert_eq!(halfopen::rejection(&*error).expect("a rejection").name(), "payments");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct ProtectionLayer<C = DefaultClassify> {
    protection: Protection,
    classify: C,
}

impl ProtectionLayer {
    /// Creates a layer that follows this protection.
    pub fn new(protection: Protection) -> Self {
        Self { protection, classify: DefaultClassify }
    }
}

impl<C> ProtectionLayer<C> {
    /// Sets which results are failures, by a [`Classify`](halfopen::Classify) of the response and the boxed error.
    ///
    /// Without it every error is a failure, except one that was made [on this side](crate::is_local). A
    /// [`CallTimedOut`](super::CallTimedOut) reaches it as an error.
    pub fn classify<D>(self, classify: D) -> ProtectionLayer<Custom<D>> {
        ProtectionLayer { protection: self.protection, classify: Custom(classify) }
    }
}

impl<S, C: Clone> Layer<S> for ProtectionLayer<C> {
    type Service = ProtectionService<S, C>;

    fn layer(&self, inner: S) -> ProtectionService<S, C> {
        let timed = TimeoutService::new(inner, self.protection.clone());
        let followed = Followed(self.protection.clone());
        let guarded = CircuitBreakerService::from_parts(timed, followed, self.classify.clone(), Boxed);
        ProtectionService::new(LimitService::new(guarded, self.protection.clone(), Boxed))
    }
}

impl<C> fmt::Debug for ProtectionLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectionLayer").field("protection", &self.protection).finish_non_exhaustive()
    }
}
