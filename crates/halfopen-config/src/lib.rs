#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod builtin;
mod document;
mod explanation;
mod live;
mod load;
mod resolve;
#[cfg(test)]
mod scaling;
#[cfg(feature = "schema")]
mod schema;
mod service_type;
pub mod watch;

pub use builtin::{environments, templates};
pub use document::{
    Abandoned, Adaptive, Backoff, BreakerSection, Bulkhead, CircuitType, Classify, Code, Document, GrpcRules,
    HalfOpen, HealthCheck, HttpRules, Json, Last, Metadata, Open, RateLimit, Route, Rule, RuleKind, Slow,
    Statuses, Template, Trip, Window,
};
pub use explanation::{Explained, Explanation};
pub use halfopen_document::{
    DocumentError, Format, Layer, Located, Origin, Period, Problem, Severity, Span, summary,
};
#[cfg(feature = "limit")]
pub use live::UnknownName;
pub use live::{Changed, Difference, LiveRegistry};
pub use load::{Configuration, Loader, OverrideValue, Overrides, lint, lint_file};
pub use resolve::Settings;
#[cfg(feature = "schema")]
pub use schema::schema;
pub use service_type::{ServiceType, StandardBreaker, Templates, UnknownServiceType};
