//! Simulated services, and the worth of a breaker's decisions in front of them.
//!
//! A [`Scenario`] is a service with its incidents and the calls that arrive. [`run::against`] sends each call past a
//! [`Policy`] on simulated time, and [`value`] measures the worth of the answers. [`score`] compares a policy
//! with calling always and with a caller that knows the state of the service. Everything is a function of its seeds.

pub mod catalogue;
pub mod chance;
pub mod drawn;
pub mod policy;
pub mod run;
pub mod scenario;
pub mod score;
pub mod service;
pub mod value;

mod breaker;
mod report;

pub use breaker::Breaker;
pub use policy::{Answer, Outcome, Policy, Seconds};
pub use report::{Scores, Set, UNKNOWN};
pub use scenario::Scenario;
