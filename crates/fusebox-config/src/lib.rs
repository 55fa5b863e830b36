#![doc = include_str!("../README.md")]

mod document;
mod format;
mod period;
mod problem;
mod reader;
mod source;
mod suggest;
mod tree;
pub mod watch;
mod written;

pub use document::{
    Abandoned, Backoff, Bulkhead, CircuitType, Classify, Code, Document, GrpcRules, HalfOpen, HealthCheck,
    HttpRules, Last, Metadata, Open, Rule, RuleKind, Section, Statuses, Template, Trip, Window,
};
pub use format::Format;
pub use period::Period;
pub use problem::{DocumentError, Problem, Severity, tally};
pub use source::Place;
pub use written::{Layer, Origin, Written};
