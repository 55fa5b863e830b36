#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod classify;
mod client;
mod details;
mod errors;
mod interceptor;
mod key;
mod layer;
mod on_reject;
mod service;
mod status;

pub use classify::{StatusClassify, TypedStatusClassify};
pub use client::ResilientGrpcClient;
pub use interceptor::CircuitBreakerInterceptor;
pub use key::{PerMethod, PerService};
pub use layer::GrpcCircuitBreakerLayer;
pub use on_reject::{StatusError, TrailersOnly};
pub use service::{GrpcCircuitBreakerService, GrpcResponseFuture};
pub use status::rejected_status;
