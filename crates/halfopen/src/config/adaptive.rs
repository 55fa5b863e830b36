use std::time::Duration;

use super::duration;
use super::error::{Problems, number};

/// The numbers of an adaptive breaker; each of them has a default.
///
/// The breaker learns the normal behaviour of a dependency (the share of bad calls, the latency, the traffic), believes from each
/// result how likely the dependency is down and how badly, and opens when a call is not worth making. It asks again
/// when not knowing costs more than a probe, and comes back through a ramp. Thresholds, windows and waits do not exist
/// in it.
///
/// # Examples
///
/// ```
/// use halfopen::{Adaptive, CircuitBreakerConfig, Slow};
/// use std::time::Duration;
///
/// // A good fallback is at hand, and an answer after a second is of no use.
/// let adaptive = Adaptive::new().break_even(0.3).slow(Slow::limit(Duration::from_secs(1)));
/// let config = CircuitBreakerConfig::builder().adaptive(adaptive).build()?;
/// assert_eq!(config.adaptive_part(), Some(adaptive));
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    break_even: f64,
    slow: Slow,
    max_probe_gap: Duration,
    false_trip_interval: Duration,
}

/// When an answer comes so late that the call is bad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slow(SlowKind);

/// The kinds of a [`Slow`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SlowKind {
    /// No answer is too late, and no call in flight overdue: errors alone are bad.
    Off,
    /// An answer that took this multiple of the 95 % quantile of the successes, and 0.7 s at least.
    Learned {
        /// The multiple.
        multiple: f64,
    },
    /// An answer that took this long.
    Limit {
        /// The time.
        limit: Duration,
    },
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Slow {
    /// No answer is too late: errors alone are bad, and a call that hangs is seen when its caller gives up.
    pub fn off() -> Slow {
        Slow(SlowKind::Off)
    }

    /// An answer is too late after so many times the 95 % quantile of the successes, and no sooner than after 0.7 s;
    /// from 1 to 100.
    pub fn learned(multiple: f64) -> Slow {
        Slow(SlowKind::Learned { multiple })
    }

    /// An answer is too late after `limit`; longer than zero.
    ///
    /// The right choice where there is a service level objective.
    pub fn limit(limit: Duration) -> Slow {
        Slow(SlowKind::Limit { limit })
    }

    /// Returns the kind, with its number.
    pub fn kind(&self) -> SlowKind {
        self.0
    }
}

impl Default for Slow {
    /// Three times the 95 % quantile of the successes.
    fn default() -> Slow {
        Slow::learned(3.0)
    }
}

impl Adaptive {
    /// The defaults: break-even at 0.5, a slow answer at three times the learned 95 % quantile, a probe every 30 s at
    /// least, and a false trip in seven days.
    pub fn new() -> Adaptive {
        Adaptive {
            break_even: 0.5,
            slow: Slow::default(),
            max_probe_gap: Duration::from_secs(30),
            false_trip_interval: 7 * DAY,
        }
    }

    /// The share of bad calls above which a call is not worth making, from 0.05 to 0.95.
    ///
    /// It is `1 / (1 + harm of a bad call / worth of a good one)`: lower with a good fallback at hand, higher where a
    /// failure costs nothing. A dependency whose normal share comes near it gets a break-even that is 0.15 above that.
    pub fn break_even(self, share: f64) -> Adaptive {
        Adaptive { break_even: share, ..self }
    }

    /// When an answer is too late.
    pub fn slow(self, slow: Slow) -> Adaptive {
        Adaptive { slow, ..self }
    }

    /// The longest time between two probes, before a jitter of a quarter; longer than zero.
    pub fn max_probe_gap(self, gap: Duration) -> Adaptive {
        Adaptive { max_probe_gap: gap, ..self }
    }

    /// How often independent failures at the normal share may open the breaker; one second at least.
    ///
    /// Failures that come in clumps are small incidents: only the cost of each is bounded.
    pub fn false_trip_interval(self, interval: Duration) -> Adaptive {
        Adaptive { false_trip_interval: interval, ..self }
    }

    /// The share set by [`break_even`](Self::break_even).
    pub fn break_even_share(&self) -> f64 {
        self.break_even
    }

    /// Returns the kind set by [`slow`](Self::slow).
    pub fn slow_answers(&self) -> Slow {
        self.slow
    }

    /// The time set by [`max_probe_gap`](Self::max_probe_gap).
    pub fn longest_probe_gap(&self) -> Duration {
        self.max_probe_gap
    }

    /// The time set by [`false_trip_interval`](Self::false_trip_interval).
    pub fn time_between_false_trips(&self) -> Duration {
        self.false_trip_interval
    }

    /// Reports the numbers that are out of range, and the parts that are set `beside` them.
    pub(super) fn judge(&self, beside: &[&str], problems: &mut Problems) {
        if !beside.is_empty() {
            let value = format_args!("set beside {}", listed(beside));
            problems.add("adaptive", value, "set alone: it learns what these would say");
        }
        if !(0.05..=0.95).contains(&self.break_even) {
            problems.add("adaptive.break_even", number(self.break_even), "from 0.05 to 0.95");
        }
        match self.slow.0 {
            SlowKind::Learned { multiple } if !(1.0..=100.0).contains(&multiple) => {
                problems.add("adaptive.slow.learned", number(multiple), "from 1 to 100");
            }
            SlowKind::Limit { limit } => problems.above_zero("adaptive.slow.limit", limit),
            SlowKind::Learned { .. } | SlowKind::Off => {}
        }
        problems.above_zero("adaptive.max_probe_gap", self.max_probe_gap);
        if self.false_trip_interval < Duration::from_secs(1) {
            let value = duration::print(self.false_trip_interval);
            problems.add("adaptive.false_trip_interval", value, "1s or longer");
        }
    }
}

impl Default for Adaptive {
    fn default() -> Adaptive {
        Adaptive::new()
    }
}

/// "`trip`, `window` and `backoff`".
fn listed(parts: &[&str]) -> String {
    let quoted: Vec<String> = parts.iter().map(|part| format!("`{part}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}
