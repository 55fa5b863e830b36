//! The serialized form of a configuration: the groups of one breaker, with the keys and defaults of a document of
//! `halfopen-config`.
//!
//! These types define the keys; the builder validates the values.

mod rules;
mod window;

use serde::{Deserialize, Serialize};

use self::rules::Rules;
use super::duration::Text;
use super::{BackoffKind, CircuitBreakerConfig, ConfigError, HalfOpenKind, SlowKind, TripKind};

pub(super) use self::window::Window;

/// The default threshold of a failure rate.
const THRESHOLD: f64 = 0.5;

#[derive(Serialize, Deserialize)]
#[serde(rename = "CircuitBreakerConfig", deny_unknown_fields, default)]
#[serde(expecting = "a circuit breaker's configuration")]
#[derive(Default)]
pub(super) struct Config {
    trip: Option<Rules>,
    window: Option<super::Window>,
    open: Option<Open>,
    half_open: Option<super::HalfOpen>,
    abandoned: Option<super::Abandoned>,
    time_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adaptive: Option<Adaptive>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "an `open` group such as { duration = \"5s\" }")]
struct Open {
    duration: Option<Text>,
    hint_max: Option<Text>,
    backoff: Option<super::Backoff>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[serde(expecting = "a trip rule such as { failure_rate = { threshold = 0.5 } }")]
pub(super) enum Trip {
    ConsecutiveFailures(u32),
    FailureCount(u32),
    FailureRate(FailureRate),
    SlowCallRate(SlowCallRate),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a failure rate such as { threshold = 0.5, minimum_calls = 20 }")]
pub(super) struct FailureRate {
    #[serde(default)]
    threshold: Option<f64>,
    #[serde(default)]
    minimum_calls: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(expecting = "a slow-call rate such as { threshold = 0.8, slow_after = \"500ms\" }")]
pub(super) struct SlowCallRate {
    threshold: f64,
    slow_after: Text,
    #[serde(default)]
    minimum_calls: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    in_flight: bool,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename = "Backoff", deny_unknown_fields, default)]
#[serde(expecting = "a backoff such as { multiplier = 2, jitter = 0.2 }")]
pub(super) struct Backoff {
    #[serde(skip_serializing_if = "Option::is_none")]
    multiplier: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delays: Option<Vec<Text>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Text>,
    jitter: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forget_after: Option<Text>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename = "HalfOpen", deny_unknown_fields, default)]
#[serde(expecting = "half-open numbers such as { max_calls = 3, success_threshold = 2 }")]
pub(super) struct HalfOpen {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_threshold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe_timeout: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ramp: Option<Text>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", expecting = "ignore, failure or { failure_after = \"10s\" }")]
pub(super) enum Abandoned {
    Ignore,
    Failure,
    FailureAfter(Text),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[serde(expecting = "the numbers of an adaptive breaker such as { break_even = 0.5 }")]
struct Adaptive {
    break_even: Option<f64>,
    slow: Option<Slow>,
    max_probe_gap: Option<Text>,
    false_trip_interval: Option<Text>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", expecting = "off, { learned = 3.0 } or { limit = \"1s\" }")]
enum Slow {
    Off,
    Learned(f64),
    Limit(Text),
}

impl TryFrom<Config> for CircuitBreakerConfig {
    type Error = ConfigError;

    fn try_from(written: Config) -> Result<CircuitBreakerConfig, ConfigError> {
        let mut builder = CircuitBreakerConfig::builder();
        if let Some(rules) = written.trip.and_then(Rules::rules) {
            builder = rules.into_iter().fold(builder.no_trip_rules(), |builder, rule| builder.trip(rule));
        }
        if let Some(window) = written.window {
            builder = builder.window(window);
        }
        let open = written.open.unwrap_or_default();
        if let Some(Text(wait)) = open.duration {
            builder = builder.open_duration(wait);
        }
        if let Some(Text(limit)) = open.hint_max {
            builder = builder.hint_max(limit);
        }
        if let Some(backoff) = open.backoff {
            builder = builder.backoff(backoff);
        }
        if let Some(half_open) = written.half_open {
            builder = builder.half_open(half_open);
        }
        if let Some(policy) = written.abandoned {
            builder = builder.abandoned(policy);
        }
        if let Some(on) = written.time_calls {
            builder = builder.time_calls(on);
        }
        if let Some(written) = written.adaptive {
            builder = builder.adaptive(written.into());
        }
        builder.build()
    }
}

impl From<CircuitBreakerConfig> for Config {
    fn from(config: CircuitBreakerConfig) -> Config {
        if let Some(adaptive) = config.adaptive_part() {
            // Its rules, window and waits are not written: an adaptive breaker has none.
            let hint_max = Some(Text(config.hint_max()));
            return Config {
                open: Some(Open { hint_max, ..Open::default() }),
                abandoned: Some(config.abandoned()),
                time_calls: Some(config.time_calls()),
                adaptive: Some(adaptive.into()),
                ..Config::default()
            };
        }
        Config {
            trip: Some(Rules::list(config.trip())),
            window: Some(config.window()),
            open: Some(Open {
                duration: Some(Text(config.open_duration())),
                hint_max: Some(Text(config.hint_max())),
                backoff: Some(config.backoff().clone()),
            }),
            half_open: Some(config.half_open()),
            abandoned: Some(config.abandoned()),
            time_calls: Some(config.time_calls()),
            adaptive: None,
        }
    }
}

impl From<Trip> for super::Trip {
    fn from(written: Trip) -> super::Trip {
        let (rule, minimum_calls) = match written {
            Trip::ConsecutiveFailures(failures) => (super::Trip::consecutive_failures(failures), None),
            Trip::FailureCount(failures) => (super::Trip::failure_count(failures), None),
            Trip::FailureRate(FailureRate { threshold, minimum_calls }) => {
                (super::Trip::failure_rate(threshold.unwrap_or(THRESHOLD)), minimum_calls)
            }
            Trip::SlowCallRate(SlowCallRate { threshold, slow_after, minimum_calls, in_flight }) => {
                (super::Trip::slow_call_rate(threshold, slow_after.0).in_flight(in_flight), minimum_calls)
            }
        };
        minimum_calls.map_or(rule, |calls| rule.minimum_calls(calls))
    }
}

impl From<super::Trip> for Trip {
    fn from(rule: super::Trip) -> Trip {
        match rule.kind() {
            TripKind::ConsecutiveFailures { failures } => Trip::ConsecutiveFailures(failures),
            TripKind::FailureCount { failures } => Trip::FailureCount(failures),
            TripKind::FailureRate { threshold, minimum_calls } => Trip::FailureRate(FailureRate {
                threshold: Some(threshold),
                minimum_calls: Some(minimum_calls),
            }),
            TripKind::SlowCallRate { threshold, slow_after, minimum_calls } => {
                let (slow_after, minimum_calls) = (Text(slow_after), Some(minimum_calls));
                let in_flight = rule.counts_in_flight();
                Trip::SlowCallRate(SlowCallRate { threshold, slow_after, minimum_calls, in_flight })
            }
        }
    }
}

impl TryFrom<Backoff> for super::Backoff {
    type Error = &'static str;

    fn try_from(written: Backoff) -> Result<super::Backoff, &'static str> {
        let mut backoff = match (written.multiplier, written.delays) {
            (None, None) => super::Backoff::none(),
            // Without growth, so that the default limit of an exponential backoff does not apply.
            (Some(1.0), None) => super::Backoff::none(),
            (Some(multiplier), None) => super::Backoff::exponential(multiplier),
            (None, Some(delays)) => super::Backoff::delays(delays.into_iter().map(|delay| delay.0)),
            (Some(_), Some(_)) => {
                return Err("`backoff.delays` is set together with `multiplier`, but must be set alone: \
                            the waits are either listed or grow");
            }
        };
        if let Some(Text(limit)) = written.max {
            backoff = backoff.max(limit);
        }
        if let Some(Text(period)) = written.forget_after {
            backoff = backoff.forget_after(period);
        }
        let jitter =
            written.jitter.unwrap_or_else(|| CircuitBreakerConfig::default().backoff().jitter_fraction());
        Ok(backoff.jitter(jitter))
    }
}

impl Serialize for super::Backoff {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.kind() == BackoffKind::Custom {
            let text = "`open.backoff` is a function (`Backoff::with`), which cannot be serialized";
            return Err(serde::ser::Error::custom(text));
        }
        Backoff::from(self.clone()).serialize(serializer)
    }
}

impl From<super::Backoff> for Backoff {
    fn from(backoff: super::Backoff) -> Backoff {
        let (multiplier, delays) = match backoff.kind() {
            // `serialize` has rejected a custom one.
            BackoffKind::Fixed | BackoffKind::Custom => (None, None),
            BackoffKind::Exponential { multiplier } => (Some(multiplier), None),
            BackoffKind::Delays { delays } => (None, Some(delays.iter().copied().map(Text).collect())),
        };
        Backoff {
            multiplier,
            delays,
            max: backoff.limit().map(Text),
            jitter: Some(backoff.jitter_fraction()),
            forget_after: backoff.forget_period().map(Text),
        }
    }
}

impl From<HalfOpen> for super::HalfOpen {
    fn from(written: HalfOpen) -> super::HalfOpen {
        let mut half_open = super::HalfOpen::new();
        if let Some(calls) = written.max_calls {
            half_open = half_open.max_calls(calls);
        }
        if let Some(successes) = written.success_threshold {
            half_open = half_open.success_threshold(successes);
        }
        if let Some(failures) = written.max_failures {
            half_open = half_open.max_failures(failures);
        }
        if let Some(threshold) = written.failure_rate {
            half_open = half_open.failure_rate(threshold);
        }
        if let Some(Text(limit)) = written.probe_timeout {
            half_open = half_open.probe_timeout(limit);
        }
        if let Some(Text(length)) = written.ramp {
            half_open = half_open.ramp(length);
        }
        half_open
    }
}

impl From<super::HalfOpen> for HalfOpen {
    fn from(half_open: super::HalfOpen) -> HalfOpen {
        let probe_timeout = Some(Text(half_open.probe_limit()));
        let ramp = half_open.ramp_length().map(Text);
        match half_open.kind() {
            HalfOpenKind::Counts { max_calls, success_threshold, max_failures } => HalfOpen {
                max_calls: Some(max_calls),
                success_threshold: Some(success_threshold),
                max_failures: Some(max_failures),
                failure_rate: None,
                probe_timeout,
                ramp,
            },
            HalfOpenKind::Rate { max_calls, failure_rate } => HalfOpen {
                max_calls: Some(max_calls),
                failure_rate: Some(failure_rate),
                probe_timeout,
                ramp,
                ..HalfOpen::default()
            },
        }
    }
}

impl From<Abandoned> for super::Abandoned {
    fn from(written: Abandoned) -> super::Abandoned {
        match written {
            Abandoned::Ignore => super::Abandoned::Ignore,
            Abandoned::Failure => super::Abandoned::Failure,
            Abandoned::FailureAfter(age) => super::Abandoned::FailureAfter(age.0),
        }
    }
}

impl From<super::Abandoned> for Abandoned {
    fn from(policy: super::Abandoned) -> Abandoned {
        match policy {
            super::Abandoned::Ignore => Abandoned::Ignore,
            super::Abandoned::Failure => Abandoned::Failure,
            super::Abandoned::FailureAfter(age) => Abandoned::FailureAfter(Text(age)),
        }
    }
}

impl From<Adaptive> for super::Adaptive {
    fn from(written: Adaptive) -> super::Adaptive {
        let mut adaptive = super::Adaptive::new();
        if let Some(share) = written.break_even {
            adaptive = adaptive.break_even(share);
        }
        if let Some(slow) = written.slow {
            adaptive = adaptive.slow(match slow {
                Slow::Off => super::Slow::off(),
                Slow::Learned(multiple) => super::Slow::learned(multiple),
                Slow::Limit(Text(limit)) => super::Slow::limit(limit),
            });
        }
        if let Some(Text(gap)) = written.max_probe_gap {
            adaptive = adaptive.max_probe_gap(gap);
        }
        if let Some(Text(interval)) = written.false_trip_interval {
            adaptive = adaptive.false_trip_interval(interval);
        }
        adaptive
    }
}

impl From<super::Adaptive> for Adaptive {
    fn from(adaptive: super::Adaptive) -> Adaptive {
        Adaptive {
            break_even: Some(adaptive.break_even_share()),
            slow: Some(match adaptive.slow_answers().kind() {
                SlowKind::Off => Slow::Off,
                SlowKind::Learned { multiple } => Slow::Learned(multiple),
                SlowKind::Limit { limit } => Slow::Limit(Text(limit)),
            }),
            max_probe_gap: Some(Text(adaptive.longest_probe_gap())),
            false_trip_interval: Some(Text(adaptive.time_between_false_trips())),
        }
    }
}
