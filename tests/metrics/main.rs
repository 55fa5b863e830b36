//! The metrics, as a real Prometheus exporter shows them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod durations;
mod gone;
mod page;
mod totals;
mod world;
