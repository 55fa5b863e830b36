//! Stand-in until the checked configuration lands: the same names, no checks.
#![allow(missing_docs, clippy::all)]
use crate::clock::nanos;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreakerConfig {
    trip: Vec<Rule>,
    window: Form,
    open: Duration,
    backoff: Backoff,
    hint_max: Duration,
    half_open: HalfOpen,
    abandoned: Abandoned,
    time_calls: bool,
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    ConsecutiveFailures(u32),
    FailureCount(u32),
    FailureRate { threshold_ppb: u32, minimum_calls: u32 },
    SlowCallRate { threshold_ppb: u32, slow_after_nanos: u64, minimum_calls: u32 },
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    LastCalls(u32),
    Time { nanos: u64, buckets: u32 },
    Tumbling { nanos: u64 },
    Unbounded,
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Recovery {
    Counts { max_calls: u32, success_threshold: u32, max_failures: u32 },
    Rate { max_calls: u32, threshold_ppb: u32 },
}
pub(crate) fn reached(part: u64, calls: u64, ppb: u32) -> bool {
    u128::from(part) * 1_000_000_000 >= u128::from(ppb) * u128::from(calls)
}
fn ppb(x: f64) -> u32 {
    let near = (x * 1e9).round();
    if (near / 1e9 - x).abs() < 1e-15 { near as u32 } else { (x * 1e9).floor() as u32 }
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trip(Rule);
impl Trip {
    pub fn consecutive_failures(n: u32) -> Trip {
        Trip(Rule::ConsecutiveFailures(n))
    }
    pub fn failure_count(n: u32) -> Trip {
        Trip(Rule::FailureCount(n))
    }
    pub fn failure_rate(threshold: f64) -> Trip {
        Trip(Rule::FailureRate { threshold_ppb: ppb(threshold), minimum_calls: 5 })
    }
    pub fn slow_call_rate(threshold: f64, slow_after: Duration) -> Trip {
        Trip(Rule::SlowCallRate {
            threshold_ppb: ppb(threshold),
            slow_after_nanos: nanos(slow_after),
            minimum_calls: 5,
        })
    }
    pub fn minimum_calls(self, n: u32) -> Trip {
        Trip(match self.0 {
            Rule::FailureRate { threshold_ppb, .. } => Rule::FailureRate { threshold_ppb, minimum_calls: n },
            Rule::SlowCallRate { threshold_ppb, slow_after_nanos, .. } => {
                Rule::SlowCallRate { threshold_ppb, slow_after_nanos, minimum_calls: n }
            }
            other => other,
        })
    }
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window(Form);
impl Window {
    pub fn last_calls(n: u32) -> Window {
        Window(Form::LastCalls(n))
    }
    pub fn last(duration: Duration) -> Window {
        Window(Form::Time { nanos: nanos(duration), buckets: 10 })
    }
    pub fn buckets(self, n: u32) -> Window {
        match self.0 {
            Form::Time { nanos, .. } => Window(Form::Time { nanos, buckets: n }),
            _ => self,
        }
    }
    pub fn tumbling(interval: Duration) -> Window {
        Window(Form::Tumbling { nanos: nanos(interval) })
    }
    pub fn unbounded() -> Window {
        Window(Form::Unbounded)
    }
}
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    multiplier: f64,
    delays: Vec<Duration>,
    max: Option<Duration>,
    jitter: f64,
    forget: Option<Duration>,
}
impl Backoff {
    pub fn none() -> Backoff {
        Backoff { multiplier: 1.0, delays: vec![], max: None, jitter: 0.0, forget: None }
    }
    pub fn exponential(multiplier: f64) -> Backoff {
        Backoff { multiplier, max: Some(Duration::from_secs(60)), ..Backoff::none() }
    }
    pub fn delays(d: impl IntoIterator<Item = Duration>) -> Backoff {
        Backoff { delays: d.into_iter().collect(), ..Backoff::none() }
    }
    pub fn max(self, limit: Duration) -> Backoff {
        Backoff { max: Some(limit), ..self }
    }
    pub fn jitter(self, fraction: f64) -> Backoff {
        Backoff { jitter: fraction, ..self }
    }
    pub fn forget_after(self, period: Duration) -> Backoff {
        Backoff { forget: Some(period), ..self }
    }
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfOpen {
    max_calls: u32,
    success: u32,
    failures: u32,
    rate: Option<f64>,
    timeout: Duration,
}
impl HalfOpen {
    pub fn new() -> HalfOpen {
        HalfOpen { max_calls: 1, success: 1, failures: 0, rate: None, timeout: Duration::from_secs(60) }
    }
    pub fn max_calls(self, n: u32) -> HalfOpen {
        HalfOpen { max_calls: n, ..self }
    }
    pub fn success_threshold(self, n: u32) -> HalfOpen {
        HalfOpen { success: n, ..self }
    }
    pub fn max_failures(self, n: u32) -> HalfOpen {
        HalfOpen { failures: n, ..self }
    }
    pub fn failure_rate(self, threshold: f64) -> HalfOpen {
        HalfOpen { rate: Some(threshold), ..self }
    }
    pub fn probe_timeout(self, limit: Duration) -> HalfOpen {
        HalfOpen { timeout: limit, ..self }
    }
}
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Abandoned {
    Ignore,
    Failure,
    FailureAfter(Duration),
}
#[derive(Clone, Debug)]
pub struct ConfigError;
impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("configuration")
    }
}
impl std::error::Error for ConfigError {}
#[derive(Clone, Debug)]
pub struct CircuitBreakerConfigBuilder {
    config: CircuitBreakerConfig,
    named: bool,
    windowed: bool,
}
impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        CircuitBreakerConfig {
            trip: vec![Trip::failure_rate(0.5).0],
            window: Form::Time { nanos: 10_000_000_000, buckets: 10 },
            open: Duration::from_secs(2),
            backoff: Backoff::none().jitter(0.2),
            hint_max: Duration::from_secs(120),
            half_open: HalfOpen::new(),
            abandoned: Abandoned::Ignore,
            time_calls: false,
        }
    }
}
impl CircuitBreakerConfig {
    pub fn builder() -> CircuitBreakerConfigBuilder {
        CircuitBreakerConfigBuilder { config: Self::default(), named: false, windowed: false }
    }
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.trip
    }
    pub(crate) fn form(&self) -> Form {
        self.window
    }
    pub(crate) fn recovery(&self) -> Recovery {
        let h = self.half_open;
        match h.rate {
            Some(r) => Recovery::Rate { max_calls: h.max_calls, threshold_ppb: ppb(r) },
            None => Recovery::Counts {
                max_calls: h.max_calls,
                success_threshold: h.success,
                max_failures: h.failures,
            },
        }
    }
    pub(crate) fn probe_timeout_nanos(&self) -> u64 {
        nanos(self.half_open.timeout)
    }
    pub(crate) fn slow_ppb(&self) -> Option<u32> {
        self.trip.iter().find_map(|r| match r {
            Rule::SlowCallRate { threshold_ppb, .. } => Some(*threshold_ppb),
            _ => None,
        })
    }
    pub(crate) fn slow_after_nanos(&self) -> Option<u64> {
        self.trip.iter().find_map(|r| match r {
            Rule::SlowCallRate { slow_after_nanos, .. } => Some(*slow_after_nanos),
            _ => None,
        })
    }
    pub(crate) fn forget_after(&self) -> Option<u64> {
        self.backoff.forget.map(nanos)
    }
    pub(crate) fn hint_max_nanos(&self) -> u64 {
        nanos(self.hint_max)
    }
    pub fn abandoned(&self) -> Abandoned {
        self.abandoned
    }
    pub(crate) fn needs_timing(&self) -> bool {
        self.time_calls || self.slow_ppb().is_some() || matches!(self.abandoned, Abandoned::FailureAfter(_))
    }
    pub(crate) fn wait(&self, step: u32, _seed: u64, _epoch: u64) -> u64 {
        if !self.backoff.delays.is_empty() {
            return nanos(self.backoff.delays[(step as usize).min(self.backoff.delays.len() - 1)]);
        }
        let wait = nanos(self.open) as f64 * self.backoff.multiplier.powi(step as i32);
        (wait as u64).min(self.backoff.max.map_or(u64::MAX, nanos))
    }
}
impl CircuitBreakerConfigBuilder {
    pub fn trip(mut self, rule: Trip) -> Self {
        if !self.named {
            self.config.trip.clear();
            self.named = true;
        }
        self.config.trip.push(rule.0);
        self
    }
    pub fn no_trip_rules(mut self) -> Self {
        self.config.trip.clear();
        self.named = true;
        self
    }
    pub fn window(mut self, window: Window) -> Self {
        self.config.window = window.0;
        self.windowed = true;
        self
    }
    pub fn open_duration(mut self, wait: Duration) -> Self {
        self.config.open = wait;
        self
    }
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }
    pub fn hint_max(mut self, limit: Duration) -> Self {
        self.config.hint_max = limit;
        self
    }
    pub fn half_open(mut self, half_open: HalfOpen) -> Self {
        self.config.half_open = half_open;
        self
    }
    pub fn abandoned(mut self, policy: Abandoned) -> Self {
        self.config.abandoned = policy;
        self
    }
    pub fn time_calls(mut self, on: bool) -> Self {
        self.config.time_calls = on;
        self
    }
    pub fn build(self) -> Result<CircuitBreakerConfig, ConfigError> {
        Ok(self.config)
    }
}
