#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod display;
mod document;
mod explanation;
mod file;
mod format;
mod live;
mod load;
mod period;
mod problem;
mod reader;
mod resolve;
#[cfg(feature = "schema")]
mod schema;
mod shipped;
mod source;
mod suggest;
mod tree;
pub mod watch;
#[cfg(test)]
mod work;
mod written;

pub use document::{
    Abandoned, Backoff, Bulkhead, CircuitType, Classify, Code, Document, GrpcRules, HalfOpen, HealthCheck,
    HttpRules, Last, Metadata, Open, Rule, RuleKind, Section, Statuses, Template, Trip, Window,
};
pub use explanation::{Explained, Explanation};
pub use format::Format;
pub use live::{Changed, Difference, Live};
pub use load::{Configuration, Loader, Partial, Setting, lint, lint_file};
pub use period::Period;
pub use problem::{DocumentError, Problem, Severity, tally};
pub use resolve::Settings;
#[cfg(feature = "schema")]
pub use schema::schema;
pub use shipped::{environments, templates};
pub use source::Place;
pub use written::{Layer, Origin, Written};
