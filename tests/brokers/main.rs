//! The crates of message brokers against real servers, which the tests start, freeze, fill and kill.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod gates;
mod jetstream;
mod nats;
mod outboxes;
mod rabbitmq;
mod world;
