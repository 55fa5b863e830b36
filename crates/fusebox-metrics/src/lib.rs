#![doc = include_str!("../README.md")]

mod durations;
mod ledger;
pub mod names;
mod publish;
mod series;
mod totals;

pub use durations::DURATION_BUCKETS;
pub use publish::CircuitBreakerMetrics;
