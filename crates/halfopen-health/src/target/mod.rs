//! What a check asks.

#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "tcp")]
mod tcp;
#[cfg(feature = "url")]
mod url;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use halfopen::{Registry, State};

#[cfg(feature = "grpc")]
pub(crate) use grpc::GrpcTarget;
#[cfg(all(feature = "config", feature = "tcp"))]
pub(crate) use tcp::validate as validate_tcp;
#[cfg(feature = "url")]
pub(crate) use url::UrlTarget;

use crate::error::HealthCheckError;

/// The result of a check: the reason, if it failed.
pub(crate) type Answer = Result<(), String>;

type Function = dyn Fn() -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// The target of a check.
#[derive(Clone)]
pub(crate) enum Target {
    Function(Arc<Function>),
    /// The breaker of this name in the registry.
    Breaker(String),
    #[cfg(feature = "tcp")]
    Tcp(String),
    #[cfg(feature = "url")]
    Url(UrlTarget),
    #[cfg(feature = "grpc")]
    Grpc(GrpcTarget),
}

impl Target {
    pub(crate) fn function<F, Fut, T, E>(f: F) -> Target
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        E: fmt::Display,
    {
        Target::Function(Arc::new(move || {
            let asked = f();
            Box::pin(async move { asked.await.map(drop).map_err(|error| error.to_string()) })
        }))
    }

    /// Validates the target of the check of this name.
    pub(crate) fn validate(&self, check: &str) -> Result<(), HealthCheckError> {
        let wrong = |message: String| HealthCheckError::new(check, message);
        match self {
            Target::Function(_) => Ok(()),
            Target::Breaker(name) if name == check => Err(wrong(format!(
                "from_breaker is `{name}`, but must be another breaker: it would wait for itself"
            ))),
            Target::Breaker(_) => Ok(()),
            #[cfg(feature = "tcp")]
            Target::Tcp(address) => tcp::validate(address).map_err(wrong),
            #[cfg(feature = "url")]
            Target::Url(target) => target.validate().map_err(wrong),
            #[cfg(feature = "grpc")]
            Target::Grpc(target) => target.validate().map_err(wrong),
        }
    }

    /// Asks once. Does not end by itself while the target does not answer.
    pub(crate) async fn ask(self, registry: Registry) -> Answer {
        match self {
            Target::Function(f) => f().await,
            Target::Breaker(name) => breaker(&registry, &name),
            #[cfg(feature = "tcp")]
            Target::Tcp(address) => tcp::ask(&address).await,
            #[cfg(feature = "url")]
            Target::Url(target) => target.ask().await,
            #[cfg(feature = "grpc")]
            Target::Grpc(target) => target.ask().await,
        }
    }
}

fn breaker(registry: &Registry, name: &str) -> Answer {
    let Some(breaker) = registry.get(name) else { return Ok(()) };
    match breaker.state() {
        state @ (State::Open | State::ForcedOpen) => Err(format!("circuit breaker `{name}` is {state}")),
        State::Closed | State::HalfOpen | State::Disabled | State::MetricsOnly => Ok(()),
        // A state of a later version of the core.
        _ => Ok(()),
    }
}

// For reloads: a check whose target is the same is not restarted.
impl PartialEq for Target {
    fn eq(&self, other: &Target) -> bool {
        match (self, other) {
            (Target::Function(one), Target::Function(other)) => Arc::ptr_eq(one, other),
            (Target::Breaker(one), Target::Breaker(other)) => one == other,
            #[cfg(feature = "tcp")]
            (Target::Tcp(one), Target::Tcp(other)) => one == other,
            #[cfg(feature = "url")]
            (Target::Url(one), Target::Url(other)) => one == other,
            #[cfg(feature = "grpc")]
            (Target::Grpc(one), Target::Grpc(other)) => one == other,
            _ => false,
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Function(_) => f.write_str("function"),
            Target::Breaker(name) => write!(f, "breaker `{name}`"),
            #[cfg(feature = "tcp")]
            Target::Tcp(address) => write!(f, "tcp {address}"),
            #[cfg(feature = "url")]
            Target::Url(target) => write!(f, "{target:?}"),
            #[cfg(feature = "grpc")]
            Target::Grpc(target) => write!(f, "{target:?}"),
        }
    }
}
