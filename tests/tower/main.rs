//! The tower layer against the contract of `Service`: readiness, clones, drops, panics, wakes; in every mode
//! that supports them, with manual polls where no runtime is needed and in real stacks where it is.

#![allow(clippy::unwrap_used, reason = "a test that unwraps a None has failed")]

mod balance;
mod bounds;
mod classify;
mod contract;
mod http;
mod keyed;
mod meanwhile;
mod modes;
mod paused;
mod rejecting;
#[allow(clippy::redundant_clone, reason = "a service learns from its own clone that it can be cloned")]
mod reservations;
mod saturated;
mod stack;
mod stack_modes;
mod stack_rejecting;
mod timeouts;
mod wait;
mod waiter;
mod world;
