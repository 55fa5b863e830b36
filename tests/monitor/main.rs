//! `halfopen-monitor`: alerts on a paused clock, and sinks that misbehave.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod alertmanager;
mod browser;
mod chromium;
mod document;
mod page;
mod prometheus;
mod proxy;
mod rules;
mod sinks;
mod smtp;
mod world;
