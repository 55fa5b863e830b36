//! `halfopen-reqwest` over reqwest, reqwest-middleware, reqwest-retry and reqwest-tracing, against a real
//! hyper server on a loopback port.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod body;
mod cancel;
mod errors;
mod keys;
mod order;
mod redirects;
mod rejection;
mod resilient;
mod retry_after;
#[path = "../http/server.rs"]
mod server;
mod services;
mod statuses;
mod tower;
mod uploads;
mod world;
