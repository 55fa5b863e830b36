//! Fixtures that several test programs share.

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be built fails its test")]

pub mod breaker;
mod database;
pub mod disk;
pub mod mariadb;
pub mod middleware;
pub mod nats;
pub mod postgres;
pub mod rabbitmq;
pub mod redis;
pub mod redis_cluster;
pub mod registry;
pub mod server;
pub mod service;
