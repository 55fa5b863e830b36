#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod durations;
pub mod names;
mod publish;
mod series;

pub use durations::DURATION_BUCKETS;
pub use publish::CircuitBreakerMetrics;
