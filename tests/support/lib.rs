//! Fixtures that several test programs share.

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be built fails its test")]

pub mod breaker;
pub mod middleware;
pub mod redis;
pub mod registry;
pub mod server;
pub mod service;
