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
mod machine;
mod probation;
mod word;

pub(crate) use change::{Cause, Change, Entry, Log, Percent, Reasons};
pub(crate) use machine::{Admission, Machine, Verdict, View, Wait};
pub(crate) use probation::{HalfOpenEnd, Probes};
pub(crate) use word::{StateWord, Word};

/// What the breaker does with a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// Calls pass and are recorded; a rule may open the breaker.
    #[default]
    Closed,
    /// Calls are rejected at once until the wait is over.
    Open,
    /// A few probes pass; their outcomes close the breaker or open it again.
    HalfOpen,
    /// An operator rejects every call, with no end set.
    ForcedOpen,
    /// An operator admits every call; nothing is remembered but the lifetime totals.
    Disabled,
    /// An operator admits every call; the rules are asked and what they would have done is counted.
    MetricsOnly,
}

impl State {
    /// Every state, each once.
    pub const ALL: &'static [State] = &[
        State::Closed,
        State::Open,
        State::HalfOpen,
        State::ForcedOpen,
        State::Disabled,
        State::MetricsOnly,
    ];

    /// The state's name in documents, labels and messages: `closed`, `half_open`, `forced_open`, ..
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
            State::ForcedOpen => "forced_open",
            State::Disabled => "disabled",
            State::MetricsOnly => "metrics_only",
        }
    }
}

impl std::fmt::Display for State {
    /// The state in words: `closed`, `half-open`, `forced open`, ..
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            State::HalfOpen => "half-open",
            State::ForcedOpen => "forced open",
            State::MetricsOnly => "metrics only",
            State::Closed | State::Open | State::Disabled => self.as_str(),
        })
    }
}

#[cfg(test)]
mod tests;
