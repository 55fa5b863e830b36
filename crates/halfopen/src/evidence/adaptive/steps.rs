//! What the evidence receives and what it decides.

use crate::evidence::belief::Seconds;
use crate::evidence::traffic::Left;
use crate::random::SplitMix64;

/// What the breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Closed,
    Open,
    /// A growing share is admitted.
    Ramp,
}

/// A call that was admitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Admitted {
    pub(crate) start: Seconds,
    pub(crate) epoch: u64,
    /// The state of a call that was admitted without the lock, and has ended.
    pub(crate) unlocked: Option<Unlocked>,
}

/// A call of the [`Traffic`], after it has left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unlocked {
    pub(crate) left: Left,
    /// Whether it took longer than the slow limit.
    pub(crate) late: bool,
    /// Whether its duration is precise.
    pub(crate) precise: bool,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Good,
    Failed,
    Throttled { hint: Option<Seconds> },
}

/// Something that the breaker did, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Opened(Opening),
    /// The share of calls that is admitted from now on.
    Ramps {
        share: f64,
        why: WhyRamp,
    },
    Closed,
    /// Closed, it is more likely down than not, and at this share of bad calls, or no longer so.
    Degraded {
        share: f64,
    },
}

/// Why the breaker opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Opening {
    Evidence(Findings),
    /// The server asked for so many seconds.
    Asked(Seconds),
    /// The share was cut to next to nothing.
    CutAway,
}

/// The evidence that led to an opening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Findings {
    /// The probability that more than break-even of the calls are bad.
    pub(crate) sure: f64,
    pub(crate) bad: f64,
    pub(crate) calls: f64,
    /// Of the bad ones.
    pub(crate) slow: f64,
    pub(crate) normal: f64,
    pub(crate) worth: f64,
    pub(crate) relapse: bool,
}

/// Why the share that is admitted changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhyRamp {
    ProbesPassed,
    HoldOver,
    Slow,
    Throttled,
}

/// The learned numbers and the belief of an adaptive breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) normal: f64,
    pub(crate) break_even: f64,
    pub(crate) p95: Option<Seconds>,
    pub(crate) slow_limit: Option<Seconds>,
    pub(crate) down: f64,
    pub(crate) likeliest: f64,
    pub(crate) worth: f64,
    pub(crate) bad_calls_to_trip: Option<u32>,
    /// The moment by which a probe is sent at the latest.
    pub(crate) probe_by: Option<Seconds>,
    pub(crate) relapses: u32,
    /// The bad calls of the doubt, those of them that were slow, and all its calls, fading; as of the opening while open.
    pub(crate) bad: f64,
    pub(crate) slow: f64,
    pub(crate) calls: f64,
}

/// A source of chance: the jitter of probes and of holds, and the first call of a ramp.
pub(crate) trait Dice {
    /// Evenly distributed from 0 to 1.
    fn roll(&mut self) -> f64;
}

impl Dice for SplitMix64 {
    fn roll(&mut self) -> f64 {
        self.share()
    }
}
