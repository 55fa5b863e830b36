//! The seam for adapters and generic code: the type parameters of the layer.
//!
//! A user of the layer needs none of this. The methods of
//! [`GrpcCircuitBreakerLayer`](crate::GrpcCircuitBreakerLayer) choose them, and the aliases at the root of the crate name
//! the services that result.

pub use crate::key::{PerMethod, PerService};
pub use crate::on_reject::{StatusError, TrailersOnly};
