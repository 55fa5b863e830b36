//! A vector as stored in its file. Unknown keys are errors, so that no key of a file is ignored.

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) id: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "note")]
    _note: Option<String>,
    pub(crate) config: Config,
    pub(crate) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) trip: Vec<Trip>,
    pub(crate) window: Option<Window>,
    pub(crate) open: Open,
    pub(crate) half_open: Option<HalfOpen>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Trip {
    Consecutive { failures: u32 },
    FailureCount { failures: u32 },
    FailureRate { threshold: f64, minimum_calls: Option<u32> },
    SlowCallRate { threshold: f64, slow_after_ms: u64, minimum_calls: Option<u32> },
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Window {
    Count { size: u32 },
    Time { duration_ms: u64, buckets: u32 },
    Tumbling { interval_ms: u64 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    pub(crate) wait_ms: Option<u64>,
    pub(crate) backoff: Option<Backoff>,
    pub(crate) delays_ms: Option<Vec<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backoff {
    pub(crate) multiplier: f64,
    pub(crate) max_ms: u64,
    #[serde(default)]
    pub(crate) jitter: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HalfOpen {
    pub(crate) max_calls: u32,
    pub(crate) success_threshold: Option<u32>,
    pub(crate) any_failure_reopens: Option<bool>,
    pub(crate) failure_rate: Option<f64>,
    pub(crate) max_wait_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Step {
    Advance {
        ms: u64,
    },
    Acquire {
        #[serde(rename = "as")]
        name: String,
        expect: Option<Answer>,
    },
    Succeed {
        call: String,
        took_ms: Option<u64>,
    },
    Fail {
        call: String,
        took_ms: Option<u64>,
    },
    Ignore {
        call: String,
        took_ms: Option<u64>,
    },
    Cancel {
        call: String,
    },
    Run {
        outcome: Said,
        #[serde(default = "once")]
        times: u32,
        took_ms: Option<u64>,
        expect: Option<Answer>,
    },
    ForceOpen,
    ForceClosed,
    Reset,
    Disable,
    MetricsOnly,
    Expect(Expect),
}

#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Permitted,
    Rejected,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    Success,
    Failure,
    Ignored,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) state: Option<String>,
    pub(crate) calls: Option<u64>,
    pub(crate) failures: Option<u64>,
    pub(crate) successes: Option<u64>,
    pub(crate) slow: Option<u64>,
    pub(crate) rejected: Option<u64>,
    pub(crate) consecutive_failures: Option<u64>,
    pub(crate) failure_rate: Option<f64>,
    /// Distinguishes an absent value, null ([`None`]) and a number.
    #[serde(default, deserialize_with = "present")]
    pub(crate) retry_after_ms: Option<Option<u64>>,
}

fn once() -> u32 {
    1
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
