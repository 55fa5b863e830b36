//! halfopen-rdkafka against mock brokers of librdkafka, in a process that the tests fail, freeze and kill.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod consumers;
mod names;
mod outbox;
mod producers;
mod world;
