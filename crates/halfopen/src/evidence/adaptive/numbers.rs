//! The numbers that may be chosen.

use std::time::Duration;

use crate::config::{self, SlowKind};
use crate::evidence::belief::Seconds;

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Numbers {
    /// The share of bad calls above which a call is not worth making.
    pub(crate) break_even: f64,
    /// Independent bad calls at the normal share open it so seldom.
    pub(crate) false_trip_interval: Seconds,
    pub(crate) slow: SlowLimit,
    pub(crate) max_probe_gap: Seconds,
    pub(crate) hint_max: Seconds,
}

/// From when on an answer is slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SlowLimit {
    /// None is.
    Off,
    /// From so many times the 95 % quantile of the successes, and never below 0.7 s.
    Learned(f64),
    /// From this duration.
    Fixed(Seconds),
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers {
            break_even: 0.5,
            false_trip_interval: 604_800.0,
            slow: SlowLimit::Learned(3.0),
            max_probe_gap: 30.0,
            hint_max: 120.0,
        }
    }
}

impl Numbers {
    /// The numbers of a configuration.
    pub(crate) fn of(written: &config::Adaptive, hint_max: Duration) -> Numbers {
        Numbers {
            break_even: written.break_even_share(),
            false_trip_interval: written.time_between_false_trips().as_secs_f64(),
            slow: match written.slow_answers().kind() {
                SlowKind::Off => SlowLimit::Off,
                SlowKind::Learned { multiple } => SlowLimit::Learned(multiple),
                SlowKind::Limit { limit } => SlowLimit::Fixed(limit.as_secs_f64()),
            },
            max_probe_gap: written.longest_probe_gap().as_secs_f64(),
            hint_max: hint_max.as_secs_f64(),
        }
    }
}
