//! Runs one vector, step by step.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

use halfopen::{CircuitBreaker, ManualClock, Outcome, OwnedPermit, State};
use test_support::breaker::clocked;

use crate::config::config_of;
use crate::vector::{Answer, Expect, Said, Step, Vector};

struct Scene {
    breaker: CircuitBreaker,
    clock: ManualClock,
    calls: HashMap<String, OwnedPermit>,
}

/// Reports the step that differs, its expected result and its actual one.
pub(crate) fn run(vector: &Vector) -> Result<(), String> {
    let (breaker, clock) = clocked(&vector.id, config_of(&vector.config));
    let mut scene = Scene { breaker, clock, calls: HashMap::new() };
    for (number, step) in vector.steps.iter().enumerate() {
        scene.take(step).map_err(|why| format!("step {number}: {why}; {:?}", scene.breaker.snapshot()))?;
    }
    Ok(())
}

impl Scene {
    fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Advance { ms } => self.clock.advance(Duration::from_millis(*ms)),
            Step::Acquire { name, expect } => {
                if let Some(permit) = self.acquire(*expect)? {
                    self.calls.insert(name.clone(), permit);
                }
            }
            Step::Succeed { call, took_ms } => record(self.call(call)?, Outcome::Success, *took_ms),
            Step::Fail { call, took_ms } => record(self.call(call)?, Outcome::Failure, *took_ms),
            Step::Ignore { call, took_ms } => record(self.call(call)?, Outcome::Ignored, *took_ms),
            Step::Cancel { call } => drop(self.call(call)?),
            Step::Run { outcome, times, took_ms, expect } => {
                for _ in 0..*times {
                    if let Some(permit) = self.acquire(*expect)? {
                        record(permit, outcome_of(*outcome), *took_ms);
                    }
                }
            }
            Step::ForceOpen => self.breaker.force_open(),
            Step::ForceClosed => self.breaker.force_closed(),
            Step::Reset => self.breaker.reset(),
            Step::Disable => self.breaker.disable(),
            Step::MetricsOnly => self.breaker.metrics_only(),
            Step::Expect(expect) => self.expect(expect)?,
        }
        Ok(())
    }

    fn acquire(&self, expect: Option<Answer>) -> Result<Option<OwnedPermit>, String> {
        let permit = self.breaker.try_acquire_owned().ok();
        let got = if permit.is_some() { Answer::Permitted } else { Answer::Rejected };
        same("acquire", expect, got)?;
        Ok(permit)
    }

    fn call(&mut self, name: &str) -> Result<OwnedPermit, String> {
        self.calls.remove(name).ok_or_else(|| format!("no call `{name}` is in flight"))
    }

    fn expect(&self, expect: &Expect) -> Result<(), String> {
        let snapshot = self.breaker.snapshot();
        let counts = &snapshot.counts;
        same("state()", expect.state.as_deref(), word(self.breaker.state()))?;
        same("snapshot().state", expect.state.as_deref(), word(snapshot.state))?;
        same("calls", expect.calls, counts.calls)?;
        same("failures", expect.failures, counts.failures)?;
        same("successes", expect.successes, counts.successes)?;
        same("slow", expect.slow, counts.slow)?;
        same("rejected", expect.rejected, snapshot.rejected)?;
        same("consecutive_failures", expect.consecutive_failures, counts.consecutive_failures)?;
        let retry_after = expect.retry_after_ms.map(|wait| wait.map(Duration::from_millis));
        same("retry_after", retry_after, snapshot.retry_after)?;
        let rate = counts.failure_rate().unwrap_or(0.0);
        match expect.failure_rate {
            Some(expected) if (expected - rate).abs() >= 1e-6 => {
                Err(format!("failure_rate: expected {expected}, got {rate}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn record(permit: OwnedPermit, outcome: Outcome, took_ms: Option<u64>) {
    match took_ms {
        Some(took) => permit.record_after(outcome, Duration::from_millis(took)),
        None => permit.record(outcome),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "both sides are made to be compared")]
fn same<T: PartialEq + Debug>(what: &str, expected: Option<T>, got: T) -> Result<(), String> {
    match expected.as_ref() {
        Some(expected) if *expected != got => Err(format!("{what}: expected {expected:?}, got {got:?}")),
        Some(_) | None => Ok(()),
    }
}

fn outcome_of(said: Said) -> Outcome {
    match said {
        Said::Success => Outcome::Success,
        Said::Failure => Outcome::Failure,
        Said::Ignored => Outcome::Ignored,
    }
}

fn word(state: State) -> &'static str {
    state.as_str()
}
