//! The metrics, as a real Prometheus exporter shows them, and what the dashboard and the rules ask for.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod dashboards;
mod durations;
mod gone;
mod layout;
mod outage;
mod page;
mod queries;
mod totals;
mod world;
