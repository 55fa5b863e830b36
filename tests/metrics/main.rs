//! The metrics of a real Prometheus exporter, and the queries of the dashboard and the rules.
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
