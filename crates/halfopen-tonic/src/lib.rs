#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod classify;
mod client;
mod details;
mod errors;
mod future;
mod interceptor;
mod key;
mod layer;
mod mode;
mod service;
mod status;

pub use classify::StatusClassify;
pub use client::ResilientGrpcClient;
pub use future::GrpcResponseFuture;
pub use interceptor::CircuitBreakerInterceptor;
pub use key::{PerMethod, PerService};
pub use layer::GrpcCircuitBreakerLayer;
pub use mode::{Answer, AsError, TrailersOnly};
pub use service::GrpcCircuitBreakerService;
pub use status::rejected_status;
