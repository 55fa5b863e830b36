//! One breaker and one model that take the same steps.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use halfopen::adapter::{self, Signal};
use halfopen::{
    CircuitBreaker, Clock, Event, Interest, Listener, ManualClock, Outcome, OwnedPermit, Rejected, Report,
};

use crate::compare::{self, Heard, Log};
use crate::history::{Build, Step};
use crate::reference::{self, Finish, Nanos};
use crate::translate::{breaker_settings, nanos, own_rule, own_rule_of_the_model, rejection};

pub(crate) struct World {
    breaker: CircuitBreaker,
    model: reference::Breaker,
    clock: ManualClock,
    now: Nanos,
    calls: Vec<(OwnedPermit, reference::Permit)>,
    ear: Arc<Ear>,
    /// When the clock started.
    started: SystemTime,
    /// Incremented with every call, so that calls use all ways of admission and completion.
    turn: usize,
    log: Log,
}

/// Stores the events of the breaker until the next comparison.
struct Ear {
    wants_calls: bool,
    heard: Mutex<Heard>,
}

impl Listener for Ear {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        self.heard.lock().expect("no listener panics").note(event);
    }

    fn on_signal(&self, _: &CircuitBreaker, signal: &Signal) {
        self.heard.lock().expect("no listener panics").signal(signal);
    }

    fn interest(&self) -> Interest {
        if self.wants_calls { Interest::ALL } else { Interest::default() | Interest::PROBES }
    }
}

impl World {
    pub(crate) fn new(build: &Build) -> Self {
        let (clock, hands) = Clock::manual();
        let started = start_of(&clock);
        let heard = Mutex::new(Heard::since(started));
        let ear = Arc::new(Ear { wants_calls: build.watched, heard });
        let mut builder = CircuitBreaker::builder("modelled")
            .config(breaker_settings(&build.settings))
            .clock(clock)
            .listener(Arc::clone(&ear));
        if build.custom {
            builder = builder.ready_to_trip(own_rule);
        }
        let custom = build.custom.then_some(own_rule_of_the_model as fn(&reference::Counts) -> bool);
        Self {
            breaker: builder.build(),
            model: reference::Breaker::new(build.settings.clone(), custom, build.watched),
            clock: hands,
            now: 0,
            calls: Vec::new(),
            ear,
            started,
            turn: 0,
            log: Log::default(),
        }
    }

    pub(crate) fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Acquire => self.acquire()?,
            Step::Finish(place, finish) => self.finish(*place, *finish)?,
            Step::Calls(times, finish) => {
                for _ in 0..*times {
                    let before = self.calls.len();
                    self.acquire()?;
                    if self.calls.len() > before {
                        self.finish(before, *finish)?;
                    }
                    self.compare()?;
                }
            }
            Step::Advance(by) => self.time_is(self.now + by),
            Step::Back(by) => self.time_is(self.now.saturating_sub(*by)),
            Step::ToInstant(shift) => {
                if let Some(instant) = self.model.next_instant() {
                    self.time_is(instant.saturating_add_signed(*shift));
                }
            }
            Step::Trip => self.both(CircuitBreaker::trip, reference::Breaker::trip),
            Step::OpenFor(wait) => {
                self.both(|b| b.open_for(Duration::from_nanos(*wait)), |model| model.open_for(*wait));
            }
            Step::ForceOpen => self.both(CircuitBreaker::force_open, reference::Breaker::force_open),
            Step::ForceClosed => self.both(CircuitBreaker::force_closed, reference::Breaker::force_closed),
            Step::Disable => self.both(CircuitBreaker::disable, reference::Breaker::disable),
            Step::MetricsOnly => self.both(CircuitBreaker::metrics_only, reference::Breaker::metrics_only),
            Step::Reset => self.both(CircuitBreaker::reset, reference::Breaker::reset),
            Step::SetEnabled(enabled) => {
                let (modelled, real) = (self.model.set_enabled(*enabled), self.breaker.set_enabled(*enabled));
                same("set_enabled()", modelled, real)?;
            }
            Step::SetConfig(settings, _) => self.both(
                |breaker| breaker.set_config(breaker_settings(settings)),
                |model| model.set_config((**settings).clone()),
            ),
            Step::CountRejection => self.count_rejection()?,
        }
        self.compare()
    }

    /// All observable state.
    pub(crate) fn compare(&mut self) -> Result<(), String> {
        let heard = self.ear.heard.lock().expect("no listener panics").take();
        compare::events(heard, &mut self.model, self.ear.wants_calls, &mut self.log)?;
        same("now()", self.now, nanos(self.breaker.now()))?;
        compare::answers(&self.breaker, &mut self.model, self.started)
    }

    pub(crate) fn into_log(self) -> Log {
        self.log
    }

    fn both(&mut self, real: impl FnOnce(&CircuitBreaker), model: impl FnOnce(&mut reference::Breaker)) {
        real(&self.breaker);
        model(&mut self.model);
    }

    fn time_is(&mut self, now: Nanos) {
        self.now = now;
        self.clock.set(Duration::from_nanos(now));
        self.model.time_is(now);
    }

    fn acquire(&mut self) -> Result<(), String> {
        let answer = self.enter()?;
        match (answer, self.model.acquire()) {
            (Ok(permit), Ok(modelled)) => self.calls.push((permit, modelled)),
            (Err(rejected), Err(modelled)) => same("the rejection", modelled, rejection(&rejected))?,
            (Ok(_), Err(modelled)) => return Err(format!("permitted; the model rejects: {modelled:?}")),
            (Err(rejected), Ok(_)) => return Err(format!("the model permits; rejected: {rejected}")),
        }
        Ok(())
    }

    /// Admits a call by one of the methods that return an owned permit.
    fn enter(&mut self) -> Result<Result<OwnedPermit, Rejected>, String> {
        self.turn += 1;
        match self.turn % 3 {
            0 => return Ok(self.breaker.try_acquire_owned()),
            1 => return Ok(adapter::into_permit(self.breaker.clone())),
            _ => {}
        }
        let permit = adapter::acquire_if_closed(&self.breaker);
        same("acquire_if_closed()", self.model.is_closed_to_a_call(), permit.is_some())?;
        Ok(permit.map_or_else(|| self.breaker.try_acquire_owned(), Ok))
    }

    fn finish(&mut self, place: usize, finish: Finish) -> Result<(), String> {
        if self.calls.is_empty() {
            return Ok(());
        }
        let (permit, modelled) = self.calls.swap_remove(place % self.calls.len());
        same("is_probe()", modelled.is_probe(), permit.is_probe())?;
        same("elapsed()", modelled.age(self.now), permit.elapsed().map(nanos))?;
        self.turn += 1;
        if self.turn.is_multiple_of(2) {
            end(permit, finish);
        } else {
            end_in_detail(permit, finish);
        }
        self.model.finish(modelled, finish);
        Ok(())
    }

    fn count_rejection(&mut self) -> Result<(), String> {
        match (self.breaker.check(), self.model.check()) {
            (Err(rejected), Err((why, retry_after))) => {
                self.turn += 1;
                match adapter::refusal(&self.breaker).filter(|_| self.turn.is_multiple_of(2)) {
                    Some(refusal) => {
                        let told = adapter::reject(&self.breaker, refusal).to_string();
                        same("reject()", rejected.to_string(), told)?;
                    }
                    None => adapter::count_rejection(&self.breaker, &rejected),
                }
                self.model.count_rejection(why, retry_after);
                Ok(())
            }
            (real, modelled) => same("check()", modelled, real.map_err(|rejected| rejection(&rejected))),
        }
    }
}

/// The start time of a clock that has not been advanced, which is only visible in a transition at that time.
fn start_of(clock: &Clock) -> SystemTime {
    let first = CircuitBreaker::builder("first").clock(clock.clone()).build();
    first.trip();
    first.snapshot().last_trip.expect("it was tripped").at
}

fn end(permit: OwnedPermit, finish: Finish) {
    match finish {
        Finish::Success => permit.success(),
        Finish::Failure => permit.failure(),
        Finish::Ignored => permit.ignore(),
        Finish::Dropped => drop(permit),
        Finish::FailureWithHint(hint) => permit.failure_with_hint(Duration::from_nanos(hint)),
        Finish::Throttled(None) => permit.record(Outcome::Throttled),
        Finish::Throttled(Some(hint)) => {
            permit.report(Report::throttled().retry_after(Duration::from_nanos(hint)));
        }
        Finish::SuccessAfter(took) => permit.record_after(Outcome::Success, Duration::from_nanos(took)),
        Finish::FailureAfter(took) => permit.record_after(Outcome::Failure, Duration::from_nanos(took)),
        Finish::IgnoredAfter(took) => permit.record_after(Outcome::Ignored, Duration::from_nanos(took)),
    }
}

/// The same in other words: a hint counts for a failure alone.
fn end_in_detail(permit: OwnedPermit, finish: Finish) {
    let unheard = Some(Nanos::MAX);
    let (outcome, took, hint) = match finish {
        Finish::Success => (Outcome::Success, None, unheard),
        Finish::Failure => (Outcome::Failure, None, None),
        Finish::Ignored => (Outcome::Ignored, None, unheard),
        Finish::Dropped => return permit.abandon(),
        Finish::FailureWithHint(hint) => (Outcome::Failure, None, Some(hint)),
        Finish::Throttled(hint) => (Outcome::Throttled, None, hint),
        Finish::SuccessAfter(took) => (Outcome::Success, Some(took), unheard),
        Finish::FailureAfter(took) => (Outcome::Failure, Some(took), None),
        Finish::IgnoredAfter(took) => (Outcome::Ignored, Some(took), unheard),
    };
    let (took, hint) = (took.map(Duration::from_nanos), hint.map(Duration::from_nanos));
    permit.report(Report::from(outcome).took(took).retry_after(hint));
}

#[expect(clippy::needless_pass_by_value, reason = "both sides are made to be compared")]
pub(crate) fn same<T: PartialEq + Debug>(what: &str, model: T, real: T) -> Result<(), String> {
    if model == real {
        Ok(())
    } else {
        Err(format!("{what}: the model says {model:?}, the breaker {real:?}"))
    }
}
