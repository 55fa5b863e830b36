//! The outbox, its stores against a model, and what it survives.

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be built fails its test")]

mod behaviour;
mod claims;
mod crash;
mod limits;
mod model;
mod postgres;
mod sqlite;
mod store;
mod world;
