//! The model passes the scenario vectors too: two independent statements of the semantics agree.

use std::collections::HashMap;

use crate::reference::{
    Abandoned, Breaker, Finish, Growth, HalfOpen, Nanos, Permit, Rule, Settings, State, Verdict, Window,
};
use crate::vector::{self, Answer, Expect, Said, Step, Vector};

const MS: Nanos = 1_000_000;
const NEVER: Nanos = Nanos::MAX;

const FILES: [&str; 5] = [
    include_str!("../vectors/failsafe-go.json"),
    include_str!("../vectors/failsafe-rs.json"),
    include_str!("../vectors/finagle.json"),
    include_str!("../vectors/linkerd2-proxy.json"),
    include_str!("../vectors/tower-resilience.json"),
];

#[test]
fn the_model_obeys_every_scenario_vector() {
    let vectors =
        FILES.iter().flat_map(|text| serde_json::from_str::<Vec<Vector>>(text).expect("a vector file"));
    let mut ran = 0;
    for vector in vectors {
        ran += 1;
        let mut scene = Scene {
            model: Breaker::new(settings(&vector.config), None, false),
            calls: HashMap::new(),
            now: 0,
        };
        for (number, step) in vector.steps.iter().enumerate() {
            scene
                .take(step)
                .unwrap_or_else(|why| panic!("{} step {number}: {why}; {:?}", vector.id, scene.model.view()));
        }
    }
    assert_eq!(ran, 204);
}

struct Scene {
    model: Breaker,
    calls: HashMap<String, Permit>,
    now: Nanos,
}

impl Scene {
    fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Advance { ms } => {
                self.now += ms * MS;
                self.model.time_is(self.now);
            }
            Step::Acquire { name, expect } => {
                if let Some(permit) = self.acquire(*expect)? {
                    self.calls.insert(name.clone(), permit);
                }
            }
            Step::Succeed { call, took_ms } => self.finish(call, after(Said::Success, *took_ms)),
            Step::Fail { call, took_ms } => self.finish(call, after(Said::Failure, *took_ms)),
            Step::Ignore { call, took_ms } => self.finish(call, after(Said::Ignored, *took_ms)),
            Step::Cancel { call } => self.finish(call, Finish::Dropped),
            Step::Run { outcome, times, took_ms, expect } => {
                for _ in 0..*times {
                    if let Some(permit) = self.acquire(*expect)? {
                        self.model.finish(permit, after(*outcome, *took_ms));
                    }
                }
            }
            Step::ForceOpen => self.model.force_open(),
            Step::ForceClosed => self.model.force_closed(),
            Step::Reset => self.model.reset(),
            Step::Disable => self.model.disable(),
            Step::MetricsOnly => self.model.metrics_only(),
            Step::Expect(expect) => self.expect(expect)?,
        }
        Ok(())
    }

    fn acquire(&mut self, expect: Option<Answer>) -> Result<Option<Permit>, String> {
        let permit = self.model.acquire().ok();
        let got = if permit.is_some() { Answer::Permitted } else { Answer::Rejected };
        match expect {
            Some(expected) if expected != got => Err(format!("expected {expected:?}, got {got:?}")),
            Some(_) | None => Ok(permit),
        }
    }

    fn finish(&mut self, name: &str, finish: Finish) {
        let permit = self.calls.remove(name).expect("a call in flight");
        self.model.finish(permit, finish);
    }

    fn expect(&self, expect: &Expect) -> Result<(), String> {
        let view = self.model.view();
        let counts = view.counts;
        let rate = if counts.calls == 0 { 0.0 } else { counts.failures as f64 / counts.calls as f64 };
        let agree = [
            expect.state.as_deref().is_none_or(|state| state == word(view.state)),
            expect.calls.is_none_or(|calls| calls == counts.calls),
            expect.failures.is_none_or(|failures| failures == counts.failures),
            expect.successes.is_none_or(|successes| successes == counts.successes),
            expect.slow.is_none_or(|slow| slow == counts.slow),
            expect.rejected.is_none_or(|rejected| rejected == view.rejected),
            expect.consecutive_failures.is_none_or(|run| run == counts.consecutive_failures),
            expect.failure_rate.is_none_or(|expected| (expected - rate).abs() < 1e-6),
            expect.retry_after_ms.is_none_or(|wait| wait.map(|ms| ms * MS) == view.retry_after),
        ];
        if agree.contains(&false) { Err(format!("agreement: {agree:?}")) } else { Ok(()) }
    }
}

fn settings(config: &vector::Config) -> Settings {
    let window = match config.window {
        None => Window::Unbounded,
        Some(vector::Window::Count { size }) => Window::LastCalls(size),
        Some(vector::Window::Tumbling { interval_ms }) => Window::Tumbling(interval_ms * MS),
        Some(vector::Window::Time { duration_ms, buckets }) => {
            Window::Last { bucket: duration_ms * MS / u64::from(buckets), buckets }
        }
    };
    Settings {
        rules: config.trip.iter().map(|trip| rule(trip, window)).collect(),
        window,
        open_duration: config.open.wait_ms.unwrap_or(0) * MS,
        growth: growth(&config.open),
        longest: config.open.backoff.as_ref().map(|backoff| backoff.max_ms * MS),
        jitter: 0.0,
        forget_after: None,
        hint_max: NEVER,
        half_open: half_open(config.half_open.as_ref()),
        abandoned: Abandoned::Ignore,
        time_calls: false,
    }
}

fn rule(trip: &vector::Trip, window: Window) -> Rule {
    let minimum = |written: Option<u32>| match window {
        Window::LastCalls(size) => Some(written.unwrap_or(1).clamp(1, size)),
        Window::Last { .. } | Window::Tumbling(_) | Window::Unbounded => Some(written.unwrap_or(1).max(1)),
    };
    match *trip {
        vector::Trip::Consecutive { failures } => Rule::Consecutive(failures),
        vector::Trip::FailureCount { failures } => Rule::FailureCount(failures),
        vector::Trip::FailureRate { threshold, minimum_calls } => {
            Rule::FailureRate { threshold, minimum: minimum(minimum_calls) }
        }
        vector::Trip::SlowCallRate { threshold, slow_after_ms, minimum_calls } => Rule::SlowRate {
            threshold,
            slow_after: slow_after_ms * MS,
            minimum: minimum(minimum_calls),
            in_flight: false,
        },
    }
}

fn growth(open: &vector::Open) -> Growth {
    match (&open.delays_ms, &open.backoff) {
        (Some(delays), _) => Growth::Delays(delays.iter().map(|ms| ms * MS).collect()),
        (None, Some(backoff)) => {
            assert!(backoff.jitter == 0.0, "nobody tells the model of a wait");
            Growth::Exponential(backoff.multiplier)
        }
        (None, None) => Growth::None,
    }
}

fn half_open(half_open: Option<&vector::HalfOpen>) -> HalfOpen {
    let Some(given) = half_open else {
        let verdict = Verdict::Count { success_threshold: 1, max_failures: 0 };
        return HalfOpen { max_calls: 1, verdict, probe_timeout: NEVER, ramp: 0 };
    };
    let success_threshold = given.success_threshold.unwrap_or(1);
    let max_failures = match given.any_failure_reopens {
        Some(false) => given.max_calls.saturating_sub(success_threshold),
        Some(true) | None => 0,
    };
    let count = Verdict::Count { success_threshold, max_failures };
    let probe_timeout = given.max_wait_ms.map_or(NEVER, |ms| ms * MS);
    HalfOpen {
        max_calls: given.max_calls,
        verdict: given.failure_rate.map_or(count, Verdict::Rate),
        probe_timeout,
        ramp: 0,
    }
}

fn after(said: Said, took_ms: Option<u64>) -> Finish {
    match (said, took_ms) {
        (Said::Success, None) => Finish::Success,
        (Said::Failure, None) => Finish::Failure,
        (Said::Ignored, None) => Finish::Ignored,
        (Said::Success, Some(took)) => Finish::SuccessAfter(took * MS),
        (Said::Failure, Some(took)) => Finish::FailureAfter(took * MS),
        (Said::Ignored, Some(took)) => Finish::IgnoredAfter(took * MS),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
        State::ForcedOpen => "forced_open",
        State::Disabled => "disabled",
        State::MetricsOnly => "metrics_only",
    }
}
