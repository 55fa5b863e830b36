//! One adaptive breaker and one model that take the same steps.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::{
    Adaptive, CircuitBreaker, CircuitBreakerConfig, Clock, Ended, Event, ManualClock, OwnedPermit, Report,
    Slow, State,
};
use simulator::reference::{Numbers, SlowLimit};

use crate::world::same;

use super::model::{Call, Finish, Model, Nanos, Told};

/// Times are multiples of this, which the breaker represents without a remainder.
pub(super) const UNIT: Nanos = 1_024_000;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Acquire,
    /// Ends the call at this index among those in flight (modulo their number).
    Finish(usize, Finish),
    /// This number of calls in sequence that take so many units each, and so many between two.
    Calls {
        times: u32,
        took: u64,
        gap: u64,
        finish: Finish,
    },
    Advance(u64),
    Back(u64),
    Trip,
    OpenFor(u64),
    EndWait,
    Force(State),
    Reset,
    SetEnabled(bool),
    /// [`None`] is a configuration of rules.
    SetConfig(Option<Chosen>),
}

/// The numbers of a configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    pub(super) break_even: f64,
    pub(super) slow: SlowLimit,
    pub(super) max_probe_gap: f64,
    pub(super) false_trip_interval: f64,
}

impl Chosen {
    fn config(self) -> CircuitBreakerConfig {
        let slow = match self.slow {
            SlowLimit::Off => Slow::off(),
            SlowLimit::Learned(multiple) => Slow::learned(multiple),
            SlowLimit::Fixed(limit) => Slow::limit(Duration::from_secs_f64(limit)),
        };
        let adaptive = Adaptive::new()
            .break_even(self.break_even)
            .slow(slow)
            .max_probe_gap(Duration::from_secs_f64(self.max_probe_gap))
            .false_trip_interval(Duration::from_secs_f64(self.false_trip_interval));
        CircuitBreakerConfig::builder().adaptive(adaptive).build().expect("the numbers drawn are valid")
    }

    fn numbers(self) -> Numbers {
        let hint_max = CircuitBreakerConfig::adaptive().hint_max().as_secs_f64();
        let Chosen { break_even, slow, max_probe_gap, false_trip_interval } = self;
        Numbers { break_even, false_trip_interval, slow, max_probe_gap, hint_max }
    }
}

pub(super) struct World {
    breaker: CircuitBreaker,
    model: Model,
    clock: ManualClock,
    calls: Vec<(OwnedPermit, Call)>,
    heard: Arc<Mutex<Vec<Told>>>,
    pub(super) log: Vec<Told>,
}

impl World {
    pub(super) fn new(chosen: Chosen, seed: u64) -> World {
        let (clock, hands) = Clock::manual();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let breaker = CircuitBreaker::builder("modelled")
            .config(chosen.config())
            .clock(clock)
            .seed(seed)
            .listener(move |_: &CircuitBreaker, event: &Event| {
                ear.lock().expect("no listener panics").extend(translated(event));
            })
            .build();
        let model = Model::new(chosen.numbers(), seed);
        World { breaker, model, clock: hands, calls: Vec::new(), heard, log: Vec::new() }
    }

    pub(super) fn take(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Acquire => self.acquire()?,
            Step::Finish(place, finish) => {
                if !self.calls.is_empty() {
                    let place = place % self.calls.len();
                    self.finish(place, finish);
                }
            }
            Step::Calls { times, took, gap, finish } => {
                for _ in 0..times {
                    let before = self.calls.len();
                    self.acquire()?;
                    self.compare()?;
                    self.time_is(self.model.now + took * UNIT);
                    if self.calls.len() > before {
                        self.finish(before, finish);
                    }
                    self.compare()?;
                    self.time_is(self.model.now + gap * UNIT);
                }
            }
            Step::Advance(units) => self.time_is(self.model.now + units * UNIT),
            Step::Back(units) => self.time_is(self.model.now.saturating_sub(units * UNIT)),
            Step::Trip => self.both(CircuitBreaker::trip, |model| model.open(None)),
            Step::OpenFor(units) => {
                let wait = units * UNIT;
                self.both(
                    |breaker| breaker.open_for(Duration::from_nanos(wait)),
                    |model| model.open(Some(wait)),
                );
            }
            Step::EndWait => self.both(CircuitBreaker::end_wait, Model::end_wait),
            Step::Force(state) => self.force(state),
            Step::Reset => self.both(CircuitBreaker::reset, Model::reset),
            Step::SetEnabled(enabled) => {
                same("set_enabled()", self.model.set_enabled(enabled), self.breaker.set_enabled(enabled))?;
            }
            Step::SetConfig(chosen) => self.set_config(chosen),
        }
        self.compare()
    }

    fn both(&mut self, real: impl FnOnce(&CircuitBreaker), model: impl FnOnce(&mut Model)) {
        // An opening by hand under rules has a wait of those, which this model does not know.
        if self.model.is_adaptive() {
            real(&self.breaker);
            model(&mut self.model);
        }
    }

    fn force(&mut self, state: State) {
        match state {
            State::ForcedOpen => self.breaker.force_open(),
            State::Disabled => self.breaker.disable(),
            State::MetricsOnly => self.breaker.metrics_only(),
            _ => self.breaker.force_closed(),
        }
        self.model.force(match state {
            State::ForcedOpen | State::Disabled | State::MetricsOnly => state,
            _ => State::Closed,
        });
    }

    fn set_config(&mut self, chosen: Option<Chosen>) {
        let config = match chosen {
            Some(chosen) => chosen.config(),
            // Rules would end the wait of an open breaker by themselves.
            None if matches!(self.model.state, State::Open | State::HalfOpen) => return,
            None => CircuitBreakerConfig::builder().no_trip_rules().build().expect("no rules are valid"),
        };
        self.breaker.set_config(config);
        self.model.set_config(chosen.map(Chosen::numbers));
    }

    fn time_is(&mut self, now: Nanos) {
        self.clock.set(Duration::from_nanos(now));
        self.model.now = now;
    }

    fn acquire(&mut self) -> Result<(), String> {
        same("check() and try_acquire()", self.breaker.check().is_ok(), self.model.check().is_ok())?;
        match (self.breaker.try_acquire_owned(), self.model.acquire()) {
            (Ok(permit), Ok(call)) => self.calls.push((permit, call)),
            (Err(rejected), Err(why)) => {
                same("the reason", why, rejected.reason())?;
                let hold = self.model.retry_after();
                same("retry_after()", hold, rejected.retry_after().map(nanos))?;
            }
            (Ok(_), Err(why)) => return Err(format!("permitted; the model rejects: {why:?}")),
            (Err(rejected), Ok(_)) => return Err(format!("the model permits; rejected: {rejected}")),
        }
        Ok(())
    }

    fn finish(&mut self, place: usize, finish: Finish) {
        let (permit, call) = self.calls.swap_remove(place);
        let report = match finish.how {
            Ended::Success => Some(Report::success()),
            Ended::Failure if finish.throttled => Some(Report::throttled()),
            Ended::Failure => Some(Report::failure()),
            Ended::Ignored => Some(Report::ignored()),
            _ => None,
        };
        match report {
            Some(report) => {
                let took = finish.took.map(Duration::from_nanos);
                permit.report(report.took(took).retry_after(finish.hint.map(Duration::from_nanos)));
            }
            None => drop(permit),
        }
        self.model.finish(call, finish);
    }

    fn compare(&mut self) -> Result<(), String> {
        let heard = std::mem::take(&mut *self.heard.lock().expect("no listener panics"));
        let told = self.model.take_told();
        same("events", &told, &heard)?;
        self.log.extend(told);
        let snapshot = self.breaker.snapshot();
        same("state", self.model.state, snapshot.state)?;
        same("rejected", self.model.rejected, snapshot.rejected)?;
        let totals = |of: &halfopen::Totals| {
            let calls = [of.successes, of.failures, of.ignored, of.abandoned, of.late, of.slow, of.throttled];
            (calls, [of.rejected, of.trips, of.would_trip])
        };
        same("totals", totals(&self.model.totals), totals(&snapshot.totals))?;
        close("share", self.model.share(), snapshot.share)?;
        let expected = self.model.reference();
        same("adaptive", expected.is_some(), snapshot.adaptive.is_some())?;
        let Some(((reference, now), found)) = expected.zip(snapshot.adaptive) else { return Ok(()) };
        let (prior, belief) = (reference.prior(now), reference.belief(now));
        close("normal", prior.normal, found.normal)?;
        close("break_even", prior.break_even, found.break_even)?;
        close("down", belief.down(), found.down)?;
        close("worth", belief.worth(&prior), found.worth)?;
        same("relapses", reference.relapses(), found.relapses as i32)?;
        let limits = [(reference.p95(), found.p95), (reference.slow_limit(), found.slow_limit)];
        for (expected, found) in limits {
            let found = found.map(|found| found.as_secs_f64());
            close("a limit", expected.unwrap_or(-1.0), found.unwrap_or(-1.0))?;
        }
        let next = reference.probe_by().map(|by| (by - self.model.now as f64 / 1e9).max(0.0));
        let found = found.next_probe.map(|next| next.as_secs_f64());
        close("the next probe", next.unwrap_or(-1.0), found.unwrap_or(-1.0))
    }
}

fn translated(event: &Event) -> Option<Told> {
    match event {
        Event::StateChanged(change) => {
            Some(Told::Changed { from: change.from, to: change.to, reasons: change.reasons.clone() })
        }
        Event::WouldTrip { reasons, .. } => Some(Told::WouldTrip(reasons.clone())),
        Event::RampChanged { share, reason, .. } => {
            Some(Told::Ramp { share: (share * 1e9).round() as u64, reason: *reason })
        }
        Event::Reset { .. } => Some(Told::Reset),
        Event::ConfigChanged { .. } => Some(Told::ConfigChanged),
        _ => None,
    }
}

fn nanos(duration: Duration) -> Nanos {
    duration.as_nanos() as Nanos
}

/// Equal but for the rounding of sums in another order.
fn close(what: &str, model: f64, breaker: f64) -> Result<(), String> {
    let near = (model - breaker).abs() <= 1e-6 * (1.0 + model.abs());
    if near { Ok(()) } else { Err(format!("{what}: {model} for the model, {breaker}")) }
}
