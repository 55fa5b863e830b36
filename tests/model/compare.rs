//! The comparison after every step.

use std::time::{Duration, SystemTime};

use halfopen::adapter::Signal;
use halfopen::{CircuitBreaker, Event, RampReason};

use crate::reference::{self, Queued, State, Told, View};
use crate::translate::{change, counts, ended, nanos, reasons, rejection, state, totals};
use crate::world::same;

/// The events of a listener, in two streams: queued events, and those delivered immediately (S27).
#[derive(Debug)]
pub(crate) struct Heard {
    /// When the clock started.
    started: SystemTime,
    queued: Vec<(u64, Queued)>,
    told: Vec<Told>,
    /// Probes that ended without a verdict; each notifies the waiters for a slot.
    slots_back: usize,
    unknown: usize,
}

/// All events of a history on which model and breaker agree.
#[derive(Default, Debug)]
pub(crate) struct Log {
    pub(crate) queued: Vec<Queued>,
    pub(crate) told: Vec<Told>,
}

impl Heard {
    pub(crate) fn since(started: SystemTime) -> Self {
        Heard { started, queued: Vec::new(), told: Vec::new(), slots_back: 0, unknown: 0 }
    }

    /// The events since the previous call.
    pub(crate) fn take(&mut self) -> Heard {
        std::mem::replace(self, Heard::since(self.started))
    }

    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::StateChanged(to) => {
                self.queued.push((to.sequence, Queued::Changed(change(to, self.started))));
            }
            Event::WouldTrip { reasons: why, counts: of, sequence } => {
                self.queued
                    .push((*sequence, Queued::WouldTrip { reasons: reasons(why), counts: counts(of) }));
            }
            Event::RampChanged { share, reason, sequence } => {
                assert!(*share == 0.1 && *reason == RampReason::ProbesPassed, "{event:?}");
                self.queued.push((*sequence, Queued::Ramps));
            }
            Event::Reset { sequence } => self.queued.push((*sequence, Queued::Reset)),
            Event::ConfigChanged { sequence } => self.queued.push((*sequence, Queued::ConfigChanged)),
            Event::Rejected(rejected) => {
                let (why, retry_after) = rejection(rejected);
                self.told.push(Told::Rejected { why, retry_after });
            }
            Event::Recorded { ended: how, slow, took } => {
                self.told.push(Told::Recorded { ended: ended(*how), slow: *slow, took: took.map(nanos) });
            }
            _ => self.unknown += 1,
        }
    }

    pub(crate) fn signal(&mut self, signal: &Signal) {
        match signal {
            Signal::WindowRolled { counts: of } => self.told.push(Told::Rolled { counts: counts(of) }),
            Signal::ProbeEnded => self.slots_back += 1,
            _ => self.unknown += 1,
        }
    }
}

/// The events since the last comparison, which are appended to the log. Sequences increase by one and never
/// repeat.
pub(crate) fn events(
    heard: Heard,
    model: &mut reference::Breaker,
    wants_calls: bool,
    log: &mut Log,
) -> Result<(), String> {
    same("unknown events", 0, heard.unknown)?;
    same("slots given back", model.take_slots_back(), heard.slots_back)?;
    let (first, queued) = model.take_queued();
    let numbered: Vec<(u64, Queued)> = (first..).zip(queued).collect();
    same("queued events", &numbered, &heard.queued)?;
    log.queued.extend(numbered.into_iter().map(|(_, queued)| queued));
    let mut told = model.take_told();
    log.told.extend(told.iter().cloned());
    told.retain(|told| wants_calls || matches!(told, Told::Rejected { .. }));
    same("events told at once", told, heard.told)
}

/// All queries without side effects.
pub(crate) fn answers(
    breaker: &CircuitBreaker,
    model: &mut reference::Breaker,
    started: SystemTime,
) -> Result<(), String> {
    let snapshot = breaker.snapshot();
    model.hear_of_wait(nanos(snapshot.open_duration))?;
    let expected = model.view();
    let got = View {
        state: state(snapshot.state),
        counts: counts(&snapshot.counts),
        retry_after: snapshot.retry_after.map(nanos),
        rejected: snapshot.rejected,
        reopenings: snapshot.reopenings,
        open_duration: nanos(snapshot.open_duration),
        in_state_for: nanos(snapshot.in_state_for),
        share: (snapshot.share * 1e9).round() as u64,
        ramp_left: snapshot.probes.and_then(|probes| probes.ramp_left).map(nanos),
        totals: totals(&snapshot.totals),
        last_trip: snapshot.last_trip.as_ref().map(|trip| change(trip, started)),
    };
    same("snapshot()", expected.clone(), got)?;
    same("state()", expected.state, state(breaker.state()))?;
    same("check()", model.check(), breaker.check().map_err(|rejected| rejection(&rejected)))?;
    let is = |states: &[State]| states.contains(&expected.state);
    same("refusal()", model.check().is_err(), halfopen::adapter::refusal(breaker).is_some())?;
    same("changes_in()", model.time_left(), breaker.changes_in().map(nanos))?;
    same("is_closed()", is(&[State::Closed]), breaker.is_closed())?;
    same("is_open()", is(&[State::Open]), breaker.is_open())?;
    same("is_permitting()", model.check().is_ok(), breaker.is_permitting())?;
    same("is_rejecting()", model.check().is_err(), breaker.is_rejecting())?;
    same("is_half_open()", is(&[State::HalfOpen]), breaker.is_half_open())?;
    same(
        "the rates of the snapshot",
        rates(&expected),
        (snapshot.counts.failure_rate(), snapshot.counts.slow_call_rate()),
    )?;
    let all = &expected.totals;
    same(
        "totals.calls()",
        all.successes + all.failures + all.ignored + all.abandoned + all.late,
        snapshot.totals.calls(),
    )?;
    let average = (all.timed > 0).then(|| Duration::from_nanos(all.response_time / all.timed));
    same("totals.average_response_time()", average, snapshot.totals.average_response_time())
}

/// S16: without calls the rate is [`None`].
fn rates(view: &View) -> (Option<f64>, Option<f64>) {
    let counts = &view.counts;
    let of = |part: u64, calls: u64| (calls > 0).then(|| part as f64 / calls as f64);
    // S32: overdue calls are slow ones.
    let slow = of(counts.slow + counts.overdue, counts.calls + counts.overdue);
    (of(counts.failures, counts.calls), slow)
}
