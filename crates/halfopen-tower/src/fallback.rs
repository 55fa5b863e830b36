//! [`FallbackLayer`], with its service, its future and the traits of its type parameters.

mod answer;
mod future;
mod layer;
mod remember;
mod service;
mod when;

pub use self::answer::{CloneValue, Fallback, OneshotFuture, WithService};
pub use self::future::FallbackFuture;
pub use self::layer::FallbackLayer;
pub use self::remember::{Nothing, Part, Remember};
pub use self::service::FallbackService;
pub use self::when::{OnErrors, OnRejection, When};
