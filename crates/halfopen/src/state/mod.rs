//! The states of a breaker and the transitions between them.
//!
//! ```text
//!             a rule fires                  the wait is over
//!   Closed ───────────────▶ Open ─────────────────────────────▶ HalfOpen
//!      ▲                      ▲                                   │   │
//!      │                      └── a probe failed or is overdue ───┘   │
//!      └────────────────────────────── enough probes passed ──────────┘
//! ```
//!
//! An operator can override these three states with `ForcedOpen`, `Disabled` or `MetricsOnly`.

mod change;
mod half_open;
mod machine;

pub(crate) use change::{Change, Entry, Log};
pub(crate) use half_open::Probes;
pub(crate) use machine::{Admission, Fired, Heard, Machine, ProbeEnd, View, Wait};
