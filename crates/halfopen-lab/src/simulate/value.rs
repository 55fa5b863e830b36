//! What the answers of a run were worth.

use super::policy::{Outcome, Seconds};
use super::run::Run;
use super::scenario::Scenario;
use super::service::{Latency, Prospect, TIMEOUT_COST};

/// The worth of answers to the caller. An answer in time is worth 1, a rejection nothing, and a failure -1 and the
/// time that it took, as a share of the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A late answer is worth nothing, and cost the time that it took.
    InTime,
    /// A late answer is worth as much as any other.
    LateToo,
}

impl Value {
    /// Both.
    pub const ALL: [Value; 2] = [Value::InTime, Value::LateToo];

    /// Returns the expected worth of a call.
    pub fn expected(&self, prospect: &Prospect) -> f64 {
        let late = match self {
            Value::InTime => -prospect.late_wait,
            Value::LateToo => 1.0,
        };
        prospect.in_time + prospect.late * late - prospect.loss
    }

    fn of(&self, outcome: Outcome, took: Seconds, latency: &Latency) -> f64 {
        let wait = took / latency.timeout;
        match outcome {
            Outcome::Success if took <= latency.useful_for || *self == Value::LateToo => 1.0,
            Outcome::Success => -wait,
            Outcome::Failure | Outcome::Throttled => -(1.0 + wait),
            Outcome::Timeout => -TIMEOUT_COST,
        }
    }
}

/// The result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// The calls that arrived.
    pub calls: f64,
    /// What all answers were worth.
    pub worth: f64,
    /// Calls that were rejected and worth making.
    pub good_rejected: f64,
    /// How often half of the calls and more were rejected that were worth making, with no incident before.
    pub false_trips: f64,
    /// How often the service crashed.
    pub crashes: f64,
}

/// Measures a run.
pub fn measure(scenario: &Scenario, run: &Run, value: &Value) -> Measured {
    let mut measured =
        Measured { calls: run.calls.len() as f64, crashes: f64::from(run.crashes), ..Measured::default() };
    let mut admission = Admission { share: 1.0, at: 0.0, low: false, excused: false };
    for call in &run.calls {
        let is_worth_it = value.expected(&call.prospect) > 0.0;
        match call.answer {
            Some(answer) => {
                measured.worth += value.of(answer.outcome, answer.took, &scenario.service.latency);
            }
            None if is_worth_it => measured.good_rejected += 1.0,
            None => {}
        }
        let is_dead = scenario.is_dead(call.at) || !is_worth_it;
        measured.false_trips += f64::from(u8::from(admission.note(call.at, call.answer.is_some(), is_dead)));
    }
    measured
}

/// The share of calls that was admitted lately.
struct Admission {
    share: f64,
    at: Seconds,
    low: bool,
    /// Rejections are a part of the incident before.
    excused: bool,
}

impl Admission {
    /// Returns whether this call begins a false trip.
    fn note(&mut self, now: Seconds, admitted: bool, is_dead: bool) -> bool {
        // Of about ten calls, or of a second if that is longer.
        let weight = (1.0 - (self.at - now).exp()).clamp(0.02, 0.1);
        self.at = now;
        self.share += weight * (f64::from(u8::from(admitted)) - self.share);
        self.excused = is_dead || (self.excused && self.share < 0.9);
        let falls = !self.low && self.share < 0.5;
        self.low = if self.low { self.share <= 0.75 } else { falls };
        falls && !self.excused
    }
}
