//! What a breaker is doing, and what may follow.
//!
//! ```text
//!             a rule fires                  the wait is over
//!   Closed ───────────────▶ Open ─────────────────────────────▶ HalfOpen
//!      ▲                      ▲                                   │   │
//!      │                      └── a probe failed or is overdue ───┘   │
//!      └────────────────────────────── enough probes passed ──────────┘
//! ```
//!
//! Over these three an operator may lay an override: `ForcedOpen`, `Disabled`, `MetricsOnly`.

mod change;
mod half_open;
mod machine;

pub(crate) use change::{Change, Entry, Log};
pub(crate) use half_open::{HalfOpenEnd, Probes};
pub(crate) use machine::{Admission, Machine, Verdict, View, Wait};
