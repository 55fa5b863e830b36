//! The states of an adaptive breaker, by the rules A1 to A13; their arithmetic is that of the design's reference.

use halfopen::{Ended, RampReason, RejectReason, State, Totals, TripReason};
use simulator::Outcome;
use simulator::reference::{End, Left, Mode, Numbers, Place, RampReason as Why, Reference, Step as Decided};

pub(super) type Nanos = u64;

/// A change that listeners are notified of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Changed { from: State, to: State, reasons: Vec<TripReason> },
    WouldTrip(Vec<TripReason>),
    Ramp { share: u64, reason: RampReason },
    Reset,
    ConfigChanged,
}

/// A call in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    epoch: u64,
    start: Nanos,
    /// Whether it was only counted (A12), and where.
    sampled: bool,
    place: Option<Place>,
    /// Whether its duration is known (A13).
    precise: bool,
    /// Whether evidence decided about it.
    by_evidence: bool,
    half_open: bool,
}

/// How a call ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finish {
    pub(super) how: Ended,
    /// Of a failure: whether it is throttled.
    pub(super) throttled: bool,
    pub(super) hint: Option<Nanos>,
    /// Instead of the time since its admission.
    pub(super) took: Option<Nanos>,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    seed: u64,
    pub(super) now: Nanos,
    pub(super) state: State,
    since: Nanos,
    epoch: u64,
    reference: Reference,
    /// False while the configuration is one of rules.
    decides: bool,
    /// A8: outcomes of earlier epochs are no evidence.
    heard_from: u64,
    /// Evidence of this visit to half-open.
    calls: u64,
    pub(super) totals: Totals,
    pub(super) rejected: u64,
    told: Vec<Told>,
    disabled_by_rule: bool,
}

fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / 1e9
}

impl Model {
    pub(super) fn new(numbers: Numbers, seed: u64) -> Model {
        Model {
            seed,
            now: 0,
            state: State::Closed,
            since: 0,
            epoch: 0,
            reference: Reference::sampled(numbers, seed, 0.0),
            decides: true,
            heard_from: 0,
            calls: 0,
            totals: Totals::default(),
            rejected: 0,
            told: Vec::new(),
            disabled_by_rule: false,
        }
    }

    pub(super) fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// S26: no transition is dated before the one that led to it.
    fn moment(&self) -> f64 {
        seconds(self.now.max(self.since))
    }

    fn is_sampled(&self) -> bool {
        matches!(self.state, State::Closed | State::MetricsOnly)
    }

    /// Whether evidence decides, or would.
    fn hears(&self) -> bool {
        let learns = matches!(self.state, State::Closed | State::MetricsOnly | State::Open | State::HalfOpen);
        learns && self.decides
    }

    pub(super) fn is_adaptive(&self) -> bool {
        self.decides
    }

    /// The reference, as long as it decides.
    pub(super) fn reference(&self) -> Option<(&Reference, f64)> {
        self.decides.then(|| (&self.reference, self.moment()))
    }

    pub(super) fn share(&self) -> f64 {
        match self.state {
            State::Open | State::ForcedOpen => 0.0,
            State::HalfOpen => self.reference.share(self.moment()),
            _ => 1.0,
        }
    }

    // ---- admission ------------------------------------------------------------------------------

    pub(super) fn check(&self) -> Result<(), RejectReason> {
        let mut asked = self.clone();
        match self.state {
            State::ForcedOpen => Err(RejectReason::ForcedOpen),
            State::Open | State::HalfOpen => match asked.reference.attempt(self.moment()) {
                true => Ok(()),
                // Of the state before: the question changes nothing.
                false => Err(self.refusal()),
            },
            _ => Ok(()),
        }
    }

    fn refusal(&self) -> RejectReason {
        match (self.state, self.reference.mode()) {
            (State::HalfOpen, Mode::Ramp) => RejectReason::HalfOpenRamp,
            (State::HalfOpen, Mode::Closed | Mode::Open) => RejectReason::HalfOpenSaturated,
            _ => RejectReason::Open,
        }
    }

    /// A5, A7: the time to retry after is that of a hold, and otherwise unknown.
    pub(super) fn retry_after(&self) -> Option<Nanos> {
        let hold = self.reference.hold().filter(|_| self.state == State::Open)?;
        let hold = (hold * 1e9).ceil() as Nanos;
        Some(hold.saturating_sub(self.now.max(self.since)))
    }

    pub(super) fn acquire(&mut self) -> Result<Call, RejectReason> {
        if self.is_sampled() && self.decides {
            let now = seconds(self.now);
            if self
                .reference
                .calls()
                .is_some_and(|calls| calls.is_at_edge(now) || calls.has_stepped_back(now))
            {
                self.reference.calls().iter_mut().for_each(|calls| calls.note_step_back(now));
                let moment = self.moment();
                self.reference.tend(moment);
                self.follow();
            }
            if self.is_sampled() {
                return Ok(self.enter());
            }
        }
        match self.state {
            State::ForcedOpen => Err(self.reject(RejectReason::ForcedOpen)),
            State::Open | State::HalfOpen => {
                let moment = self.moment();
                let admitted = self.reference.attempt(moment);
                let mode = self.reference.mode();
                self.follow();
                if admitted && mode == Mode::Open && self.state == State::Open {
                    self.change(State::HalfOpen, Vec::new());
                }
                match (admitted, self.state) {
                    (true, State::Closed) => Ok(self.enter()),
                    (true, _) => Ok(Call { start: self.now.max(self.since), ..self.call(true) }),
                    (false, _) => Err(self.reject(self.refusal())),
                }
            }
            _ => Ok(self.call(false)),
        }
    }

    fn call(&self, half_open: bool) -> Call {
        Call {
            epoch: self.epoch,
            start: self.now,
            sampled: false,
            place: None,
            precise: true,
            by_evidence: self.decides,
            half_open,
        }
    }

    fn enter(&mut self) -> Call {
        let now = seconds(self.now);
        let call = Call { sampled: true, ..self.call(false) };
        match self.reference.calls().and_then(|calls| calls.enter(now)) {
            None => call,
            Some((place, start, precise)) => {
                Call { place: Some(place), start: (start * 1e9).round() as Nanos, precise, ..call }
            }
        }
    }

    fn reject(&mut self, why: RejectReason) -> RejectReason {
        self.rejected += 1;
        self.totals.rejected += 1;
        why
    }

    // ---- the end of a call ----------------------------------------------------------------------

    pub(super) fn finish(&mut self, call: Call, finish: Finish) {
        let took = finish.took.unwrap_or_else(|| self.now.saturating_sub(call.start));
        let is_evidence = matches!(finish.how, Ended::Success | Ended::Failure);
        let mut slow = false;
        let on_time = match (call.sampled, call.half_open) {
            (true, _) => {
                let calls = self.reference.calls();
                slow = is_evidence && calls.is_some_and(|calls| calls.is_late(seconds(took)));
                self.finish_sampled(call, finish, took, slow)
            }
            (false, true) => self.hear(call, finish, took, None),
            (false, false) => call.epoch == self.epoch,
        };
        let totals = &mut self.totals;
        match finish.how {
            _ if !on_time => totals.late += 1,
            Ended::Success => totals.successes += 1,
            Ended::Failure => totals.failures += 1,
            Ended::Ignored => totals.ignored += 1,
            _ => totals.abandoned += 1,
        }
        totals.slow += u64::from(on_time && slow);
        totals.throttled += u64::from(on_time && finish.throttled);
    }

    /// A12: only an outcome that is evidence, or a sample, is learned from alone.
    fn finish_sampled(&mut self, call: Call, finish: Finish, took: Nanos, slow: bool) -> bool {
        let is_plain = finish.how == Ended::Success && !slow;
        let (start, now) = (seconds(call.start), seconds(self.now));
        let left = self.reference.calls().map(|calls| calls.leave(call.place, start, is_plain));
        let left = left.unwrap_or(Left::Gone);
        let same_epoch = call.epoch == self.epoch;
        if !matches!(finish.how, Ended::Success | Ended::Failure) {
            return same_epoch;
        }
        let in_doubt = self.hears() && self.is_sampled() && self.reference.is_in_doubt();
        let due = self.reference.calls().is_some_and(|calls| calls.learns(now) || calls.is_at_edge(now));
        if !is_plain || in_doubt || !same_epoch {
            let heard = self.hear(call, finish, took, Some((left, slow)));
            return heard || same_epoch;
        }
        if due {
            self.reference.calls().iter_mut().for_each(|calls| calls.note_step_back(now));
            self.hear(call, finish, took, Some((left, slow)));
        }
        true
    }

    /// Returns false if it is late.
    fn hear(&mut self, call: Call, finish: Finish, took: Nanos, sampled: Option<(Left, bool)>) -> bool {
        if !self.hears() || call.epoch < self.heard_from || !call.by_evidence {
            return false;
        }
        let (start, moment) = (seconds(call.start), self.moment());
        let outcome = match finish.how {
            Ended::Success => Outcome::Success,
            Ended::Failure if finish.throttled => Outcome::Throttled,
            Ended::Failure => Outcome::Failure,
            _ => {
                self.reference.cancel(start);
                self.settle();
                return true;
            }
        };
        self.calls += 1;
        let took = seconds(took);
        let slow = match sampled {
            Some((_, slow)) => slow,
            None => self.reference.slow_limit().is_some_and(|limit| took > limit),
        };
        let left = sampled.map(|(left, _)| left);
        let hint = finish.hint.map(seconds);
        self.reference.record(&End { start, took, outcome, hint, slow, left, precise: call.precise }, moment);
        self.follow();
        self.settle();
        true
    }

    /// A5: open again when the last probe has ended without a verdict.
    fn settle(&mut self) {
        let waits = self.reference.mode() == Mode::Open && self.reference.out() == 0;
        if waits && self.state == State::HalfOpen {
            let reasons = if self.calls > 0 { vec![TripReason::ProbeFailed] } else { Vec::new() };
            self.change(State::Open, reasons);
        }
    }

    // ---- transitions ----------------------------------------------------------------------------

    /// Makes the transitions that the evidence has decided.
    fn follow(&mut self) {
        self.reference.publish();
        for step in self.reference.take_steps() {
            match step {
                Decided::Opened { evidence } => {
                    let reason = if evidence { TripReason::Evidence } else { TripReason::Throttled };
                    if self.state == State::MetricsOnly {
                        self.totals.would_trip += 1;
                        self.told.push(Told::WouldTrip(vec![reason]));
                    } else {
                        self.change(State::Open, vec![reason]);
                        self.heard_from = self.epoch;
                    }
                }
                Decided::Ramps(share, why) => {
                    let begins = matches!(why, Why::ProbesPassed | Why::HoldOver);
                    if self.state != State::HalfOpen {
                        self.change(State::HalfOpen, Vec::new());
                    } else if begins {
                        self.epoch += 1;
                    }
                    if begins {
                        self.heard_from = self.epoch;
                    }
                    let reason = match why {
                        Why::ProbesPassed => RampReason::ProbesPassed,
                        Why::HoldOver => RampReason::HoldOver,
                        Why::Slow => RampReason::Slow,
                        Why::Throttled => RampReason::Throttled,
                    };
                    self.told.push(Told::Ramp { share: (share * 1e9).round() as u64, reason });
                }
                Decided::Closed => self.change(State::Closed, Vec::new()),
            }
        }
    }

    fn change(&mut self, to: State, reasons: Vec<TripReason>) {
        let from = std::mem::replace(&mut self.state, to);
        self.epoch += 1;
        self.since = self.now.max(self.since);
        self.rejected = 0;
        self.calls = 0;
        self.totals.trips += u64::from(to == State::Open);
        self.told.push(Told::Changed { from, to, reasons });
    }

    // ---- controls -------------------------------------------------------------------------------

    /// A10.
    pub(super) fn open(&mut self, hold: Option<Nanos>) {
        let acts = matches!(self.state, State::Closed | State::HalfOpen)
            || (self.state == State::Open && hold.is_some());
        if acts && self.decides {
            let moment = self.moment();
            self.reference.open_by_hand(hold.map(|hold| seconds(self.now.max(self.since) + hold)), moment);
            self.change(State::Open, vec![TripReason::Manual]);
            self.heard_from = self.epoch;
        }
    }

    pub(super) fn end_wait(&mut self) {
        if self.decides && self.state == State::Open {
            let moment = self.moment();
            self.reference.probe_now(moment);
        }
    }

    pub(super) fn force(&mut self, state: State) {
        self.disabled_by_rule = false;
        self.change(state, vec![TripReason::Manual]);
        let moment = self.moment();
        self.reference.close_by_hand(moment);
        self.reference.watch(state == State::MetricsOnly);
        self.heard_from = self.epoch;
    }

    pub(super) fn reset(&mut self) {
        self.force(State::Closed);
        self.told.push(Told::Reset);
    }

    pub(super) fn set_enabled(&mut self, enabled: bool) -> bool {
        let overridden = matches!(self.state, State::ForcedOpen | State::Disabled | State::MetricsOnly);
        if enabled != self.disabled_by_rule || (!enabled && overridden) {
            return false;
        }
        self.force(if enabled { State::Closed } else { State::Disabled });
        self.disabled_by_rule = !enabled;
        true
    }

    /// A11; [`None`] are rules, which the model knows only in states in which they do nothing.
    pub(super) fn set_config(&mut self, numbers: Option<Numbers>) {
        self.told.push(Told::ConfigChanged);
        match numbers {
            None => self.decides = false,
            Some(numbers) if self.decides => self.reference.set_numbers(numbers),
            Some(numbers) => {
                let moment = self.moment();
                self.reference = self.reference.anew(numbers, self.seed, moment);
                self.decides = true;
                self.heard_from = self.epoch;
                self.reference.watch(self.state == State::MetricsOnly);
            }
        }
        if self.decides {
            self.reference.publish();
        }
    }
}
