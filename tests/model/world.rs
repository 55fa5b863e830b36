//! One breaker and one model that live through the same steps.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fusebox::{CircuitBreaker, Clock, Event, Listener, ManualClock, Outcome, OwnedPermit};

use crate::compare::{self, Heard, Log};
use crate::history::{Build, Step};
use crate::reference::{self, Finish, Nanos};
use crate::translate::{breaker_settings, own_rule, own_rule_of_the_model, rejection};

pub(crate) struct World {
    breaker: CircuitBreaker,
    model: reference::Breaker,
    clock: ManualClock,
    now: Nanos,
    calls: Vec<(OwnedPermit, reference::Permit)>,
    ear: Arc<Ear>,
    log: Log,
}

/// Keeps what the breaker tells until the next comparison.
struct Ear {
    wants_calls: bool,
    heard: Mutex<Heard>,
}

impl Listener for Ear {
    fn on_event(&self, _: &CircuitBreaker, event: &Event) {
        self.heard.lock().expect("no listener panics").note(event);
    }

    fn wants_calls(&self) -> bool {
        self.wants_calls
    }
}

impl World {
    pub(crate) fn new(build: &Build) -> Self {
        let (clock, hands) = Clock::manual();
        let ear = Arc::new(Ear { wants_calls: build.watched, heard: Mutex::default() });
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
            log: Log::default(),
        }
    }

    pub(crate) fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Acquire => self.acquire()?,
            Step::Finish(place, finish) => self.finish(*place, *finish),
            Step::Calls(times, finish) => {
                for _ in 0..*times {
                    let before = self.calls.len();
                    self.acquire()?;
                    if self.calls.len() > before {
                        self.finish(before, *finish);
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
            Step::SetConfig(settings, _) => self.both(
                |breaker| breaker.set_config(breaker_settings(settings)),
                |model| model.set_config((**settings).clone()),
            ),
            Step::CountRejection => self.count_rejection()?,
        }
        self.compare()
    }

    /// All that can be seen from outside.
    pub(crate) fn compare(&mut self) -> Result<(), String> {
        let heard = std::mem::take(&mut *self.ear.heard.lock().expect("no listener panics"));
        compare::events(heard, &mut self.model, self.ear.wants_calls, &mut self.log)?;
        compare::answers(&self.breaker, &mut self.model)
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
        match (self.breaker.try_acquire_owned(), self.model.acquire()) {
            (Ok(permit), Ok(modelled)) => self.calls.push((permit, modelled)),
            (Err(rejected), Err(modelled)) => same("the rejection", modelled, rejection(&rejected))?,
            (Ok(_), Err(modelled)) => return Err(format!("permitted; the model rejects: {modelled:?}")),
            (Err(rejected), Ok(_)) => return Err(format!("the model permits; rejected: {rejected}")),
        }
        Ok(())
    }

    fn finish(&mut self, place: usize, finish: Finish) {
        if self.calls.is_empty() {
            return;
        }
        let (permit, modelled) = self.calls.swap_remove(place % self.calls.len());
        match finish {
            Finish::Success => permit.success(),
            Finish::Failure => permit.failure(),
            Finish::Ignored => permit.ignore(),
            Finish::Dropped => drop(permit),
            Finish::FailureWithHint(hint) => permit.failure_with_hint(Duration::from_nanos(hint)),
            Finish::SuccessAfter(took) => permit.record_after(Outcome::Success, Duration::from_nanos(took)),
            Finish::FailureAfter(took) => permit.record_after(Outcome::Failure, Duration::from_nanos(took)),
            Finish::IgnoredAfter(took) => permit.record_after(Outcome::Ignored, Duration::from_nanos(took)),
        }
        self.model.finish(modelled, finish);
    }

    fn count_rejection(&mut self) -> Result<(), String> {
        match (self.breaker.check(), self.model.check()) {
            (Err(rejected), Err((why, retry_after))) => {
                self.breaker.count_rejection(&rejected);
                self.model.count_rejection(why, retry_after);
                Ok(())
            }
            (real, modelled) => same("check()", modelled, real.map_err(|rejected| rejection(&rejected))),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "both sides are made to be compared")]
pub(crate) fn same<T: PartialEq + Debug>(what: &str, model: T, real: T) -> Result<(), String> {
    if model == real {
        Ok(())
    } else {
        Err(format!("{what}: the model says {model:?}, the breaker {real:?}"))
    }
}
