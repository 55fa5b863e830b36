//! A document as written: every value with its place, without defaults.

mod abandoned;
mod adaptive;
mod circuit_type;
mod classify;
mod flat;
mod foreign;
mod half_open;
mod host;
mod limits;
mod metadata;
mod open;
mod reserved;
mod root;
mod rule;
mod section;
mod trip;
mod window;

pub use abandoned::Abandoned;
pub use adaptive::{Adaptive, Slow};
pub use circuit_type::CircuitType;
pub use classify::{Classify, Code, GrpcRules, HttpRules, Statuses};
pub use half_open::HalfOpen;
pub use limits::{Bulkhead, Json, RateLimit, Route};
pub use metadata::Metadata;
pub use open::{Backoff, Open};
pub use reserved::HealthCheck;
pub use root::{Document, Template};
pub use rule::{Rule, RuleKind};
pub use section::BreakerSection;
pub use trip::Trip;
pub use window::{Last, Window};

#[cfg(feature = "schema")]
pub(crate) use classify::named_codes;
pub(crate) use reserved::kinds as reserved_kinds;
pub(crate) use root::is_name;

#[cfg(all(test, feature = "schema"))]
pub(crate) use flat::KEYS as FLAT_KEYS;
