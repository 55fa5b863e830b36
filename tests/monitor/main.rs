//! `halfopen-monitor`: alerts on a paused clock, and sinks that misbehave.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod alertmanager;
mod document;
mod page;
mod rules;
mod sinks;
mod smtp;
mod world;
