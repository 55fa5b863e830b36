//! The states of an adaptive breaker: what its evidence decides becomes transitions and events.

use std::sync::Arc;

use super::{Admission, Machine, View};
use crate::clock::Tick;
use crate::counts::Counts;
use crate::evidence::{
    Adaptive, End, Findings, Known, Mode, Numbers, Opening, Pending, Seconds, Step, Traffic, Unlocked,
    WhyRamp,
};
use crate::outcome::{Ended, Finished};
use crate::random::SplitMix64;
use crate::reason::{Cause, RampReason, Reasons, RejectReason, TripReason};
use crate::state::{Entry, Log};
use crate::word::{Epoch, State};

/// The evidence of an adaptive breaker, and the source of its chance.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    adaptive: Adaptive,
    /// False while the breaker has a configuration of rules.
    decides: bool,
    /// The calls of the closed state. It stays for the life of the breaker, because calls are in flight in it.
    traffic: Arc<Traffic>,
    dice: SplitMix64,
    /// Outcomes are evidence from this epoch on: the calls of a ramp go on as those of the closed visit that it led to.
    since_epoch: Epoch,
    /// The outcomes of this visit to half-open.
    counts: Counts,
}

/// A call that has ended, as evidence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) started: Tick,
    pub(crate) call: &'a Finished,
    /// Of a call that was admitted without the lock.
    pub(crate) unlocked: Option<Unlocked>,
}

impl Heard<'_> {
    /// Returns how it ended, or [`None`] if it is no evidence about the dependency.
    fn end(&self) -> Option<End> {
        match self.call.ended {
            Ended::Success => Some(End::Good),
            Ended::Failure if self.call.throttled => {
                Some(End::Throttled { hint: self.call.hint.map(seconds) })
            }
            Ended::Failure => Some(End::Failed),
            Ended::Ignored | Ended::Abandoned | Ended::Late => None,
        }
    }
}

fn seconds(nanos: u64) -> Seconds {
    nanos as f64 / 1e9
}

fn at(now: Tick) -> Seconds {
    seconds(now.0)
}

/// The first moment of the clock that is no earlier.
fn tick(moment: Seconds) -> Tick {
    // Saturating: a float that is too large becomes the largest number.
    let nanos = (moment * 1e9).ceil() as u64;
    Tick(if seconds(nanos) < moment { nanos.saturating_add(1) } else { nanos })
}

impl Learned {
    pub(super) fn new(numbers: Numbers, traffic: Arc<Traffic>, seed: u64, now: Tick) -> Learned {
        let mut dice = SplitMix64::new(seed);
        let adaptive = Adaptive::new(numbers, Some(Arc::clone(&traffic)), at(now), &mut dice);
        Learned {
            adaptive,
            decides: true,
            traffic,
            dice,
            since_epoch: Epoch::default(),
            counts: Counts::default(),
        }
    }

    fn note(&mut self, heard: &Heard<'_>) {
        if !heard.call.is_evidence() {
            return;
        }
        let took = heard.call.took.map(seconds);
        let slow = self.adaptive.slow_limit().zip(took).is_some_and(|(limit, took)| took > limit);
        let failed = heard.call.is_failure();
        let Counts { consecutive_failures: failures, consecutive_successes: successes, .. } = self.counts;
        self.counts.calls += 1;
        self.counts.failures += u64::from(failed);
        self.counts.successes += u64::from(!failed);
        self.counts.slow += u64::from(slow);
        self.counts.consecutive_failures = if failed { failures + 1 } else { 0 };
        self.counts.consecutive_successes = if failed { 0 } else { successes + 1 };
    }
}

impl Machine {
    /// Creates or suspends the evidence, as the configuration asks for.
    ///
    /// In a state that has no outage it is allocated lazily, by the first call: see [`begin_learning`](Self::begin_learning).
    pub(super) fn adapt(&mut self, now: Tick) {
        match (self.numbers(), &mut self.learned) {
            (None, None) => {}
            // Kept: calls are still in flight in its traffic, and what was learned serves if the numbers come back soon.
            (None, Some(learned)) => learned.decides = false,
            (Some(numbers), Some(learned)) if learned.decides => learned.adaptive.set_numbers(numbers),
            (Some(numbers), Some(_)) => self.learn_anew(numbers, now),
            (Some(numbers), None) => match self.state {
                State::Open | State::HalfOpen => self.learn_anew(numbers, now),
                State::Closed | State::MetricsOnly | State::ForcedOpen | State::Disabled => {}
            },
        }
        // The limits of other numbers, or of what was learned before, are no longer those of calls in flight.
        if let Some(learned) = self.learned.as_ref().filter(|learned| learned.decides) {
            learned.adaptive.publish();
        }
    }

    fn numbers(&self) -> Option<Numbers> {
        self.config.adaptive_part().map(|part| Numbers::of(&part, self.config.hint_max()))
    }

    /// Allocates the evidence of an adaptive breaker, unless that is done.
    #[inline]
    pub(crate) fn begin_learning(&mut self, now: Tick) {
        if self.learned.is_none() {
            self.begin_learning_slow(now);
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_learning_slow(&mut self, now: Tick) {
        if let Some(numbers) = self.numbers() {
            self.learn_anew(numbers, now);
        }
    }

    fn learn_anew(&mut self, numbers: Numbers, now: Tick) {
        let old = self.learned.as_ref().map(|old| Arc::clone(&old.traffic));
        let mut new = Learned::new(numbers, old.unwrap_or_else(|| Arc::new(Traffic::new())), self.seed, now);
        // Calls that were admitted under rules are not in the traffic, and so no evidence.
        new.since_epoch = self.epoch;
        // An open breaker stays open: the evidence begins with the outage, and has to find its end.
        if matches!(self.state, State::Open | State::HalfOpen) {
            new.adaptive.open_by_hand(None, at(now), &mut new.dice);
        }
        new.adaptive.watch(self.state == State::MetricsOnly);
        self.learned = Some(Box::new(new));
    }

    /// Whether evidence decides in this state.
    pub(crate) fn learns(&self) -> bool {
        self.state_learns() && self.has_evidence()
    }

    /// Whether evidence decides, or would if the breaker did not only watch.
    pub(crate) fn hears(&self) -> bool {
        (self.state_learns() || self.state == State::MetricsOnly) && self.has_evidence()
    }

    fn has_evidence(&self) -> bool {
        match &self.learned {
            Some(learned) => learned.decides,
            None => self.config.adaptive_part().is_some(),
        }
    }

    /// Whether a success in closed is evidence.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.learned.as_ref().is_some_and(|learned| learned.adaptive.is_in_doubt())
    }

    /// What calls of the closed state share.
    pub(crate) fn traffic(&self) -> Option<&Arc<Traffic>> {
        self.learned.as_ref().map(|learned| &learned.traffic)
    }

    fn state_learns(&self) -> bool {
        match self.state {
            State::Closed | State::Open | State::HalfOpen => true,
            State::ForcedOpen | State::Disabled | State::MetricsOnly => false,
        }
    }

    /// Makes the steps that are due in closed without a call: reads the calls of the traffic, and judges those that are overdue.
    ///
    /// `window` returns the counts of the window, for an opening.
    pub(crate) fn tend(&mut self, window: &dyn Fn() -> Counts, now: Tick, log: &mut Log) {
        if !self.hears() {
            return;
        }
        self.begin_learning(now);
        let epoch = self.epoch;
        if let Some(learned) = &mut self.learned {
            let mut steps = Vec::new();
            let pending = learned.traffic.take_pending(epoch.0);
            learned.adaptive.tend(at(now), &mut learned.dice, &mut steps);
            learned.adaptive.drain(pending, at(now), &mut learned.dice, &mut steps);
            self.follow(&steps, window, now, log);
        }
    }

    /// Weighs the outcomes that found the evidence locked.
    pub(crate) fn drain(&mut self, window: &dyn Fn() -> Counts, now: Tick, log: &mut Log) {
        let (hears, epoch) = (self.hears(), self.epoch);
        let Some(learned) = self.learned.as_mut().filter(|_| hears) else { return };
        let pending: Pending = learned.traffic.take_pending(epoch.0);
        let mut steps = Vec::new();
        learned.adaptive.drain(pending, at(now), &mut learned.dice, &mut steps);
        self.follow(&steps, window, now, log);
    }

    /// Admits a call, or not. `window` returns the counts of the window, for an opening.
    ///
    /// In closed, the caller counts the call in the traffic.
    pub(crate) fn admit_by_evidence(
        &mut self,
        window: &dyn Fn() -> Counts,
        now: Tick,
        log: &mut Log,
    ) -> Admission {
        if self.state == State::Closed {
            // First: the calls in flight may be overdue, and open it before this call is admitted.
            self.tend(window, now, log);
            if self.state == State::Closed {
                return Admission::Permitted;
            }
        }
        self.begin_learning(now);
        let Some(learned) = &mut self.learned else { return Admission::Permitted };
        let mut steps = Vec::new();
        learned.adaptive.missed(at(now));
        let admitted = learned.adaptive.admit(at(now), &mut learned.dice, &mut steps).is_some();
        let mode = learned.adaptive.mode();
        self.follow(&steps, window, now, log);
        match (admitted, mode) {
            // The first probe begins the visit to half-open; further ones are part of it.
            (true, Mode::Open) if self.state == State::Open => {
                let counts = self.outage().frozen;
                self.enter_learned(State::HalfOpen, Cause::default(), counts, now, log);
                Admission::Permitted
            }
            (true, Mode::Closed | Mode::Open | Mode::Ramp) => Admission::Permitted,
            (false, _) => self.refusal_by_evidence(now),
        }
    }

    fn refusal_by_evidence(&self, now: Tick) -> Admission {
        let reason = match (self.state, self.learned.as_ref().map(|learned| learned.adaptive.mode())) {
            (State::HalfOpen, Some(Mode::Ramp)) => RejectReason::HalfOpenRamp,
            (State::HalfOpen, _) => RejectReason::HalfOpenSaturated,
            _ => RejectReason::Open,
        };
        Admission::Refused { reason, remaining: self.held_for(now).unwrap_or(UNKNOWN), cause: self.cause() }
    }

    /// How long a server has asked for silence; nothing else is certain.
    fn held_for(&self, now: Tick) -> Option<u64> {
        let hold = self.learned.as_ref()?.adaptive.hold()?;
        Some(tick(hold).since(now))
    }

    /// Learns how a call ended; returns false if it is late.
    #[must_use]
    pub(crate) fn hear(
        &mut self,
        heard: Heard<'_>,
        window: &dyn Fn() -> Counts,
        now: Tick,
        log: &mut Log,
    ) -> bool {
        let (hears, current) = (self.hears(), self.epoch);
        let Some(learned) = self.learned.as_mut().filter(|_| hears) else { return false };
        if heard.epoch < learned.since_epoch {
            return false;
        }
        let mut steps = Vec::new();
        // What other threads have left ended before this call, and is weighed before it.
        let pending = learned.traffic.take_pending(current.0);
        learned.adaptive.drain(pending, at(now), &mut learned.dice, &mut steps);
        let call = learned.adaptive.admitted(at(heard.started), heard.unlocked);
        learned.note(&heard);
        match heard.end() {
            None => learned.adaptive.cancel(call),
            Some(end) => {
                let took = seconds(heard.call.took.unwrap_or_else(|| now.since(heard.started)));
                learned.adaptive.record(call, end, took, at(now), &mut learned.dice, &mut steps);
            }
        }
        self.follow(&steps, window, now, log);
        self.settle_probes(now, log);
        true
    }

    /// The last probe has ended, and did not bring the breaker back.
    pub(super) fn settle_probes(&mut self, now: Tick, log: &mut Log) {
        let Some(learned) = &self.learned else { return };
        let waits = learned.adaptive.mode() == Mode::Open && learned.adaptive.out() == 0;
        if waits && self.state == State::HalfOpen {
            let counts = learned.counts;
            let reason =
                if counts.calls > 0 { Cause::plain(TripReason::ProbeFailed) } else { Cause::default() };
            // The counts that are shown while open stay those of the opening: the event alone has those of the probes.
            let frozen = self.outage().frozen;
            self.enter_learned(State::Open, reason, counts, now, log);
            self.outage_mut().frozen = frozen;
        }
    }

    /// Makes the transitions that the evidence has decided.
    fn follow(&mut self, steps: &[Step], window: &dyn Fn() -> Counts, now: Tick, log: &mut Log) {
        // Before the transitions: as soon as the word is closed, calls that take no lock use the published limits.
        if let Some(learned) = &self.learned {
            learned.adaptive.publish();
        }
        for step in steps {
            let counts = match self.state {
                State::Closed | State::MetricsOnly => window(),
                State::HalfOpen => {
                    self.learned.as_ref().map_or_else(Counts::default, |learned| learned.counts)
                }
                State::Open | State::ForcedOpen | State::Disabled => self.outage().frozen,
            };
            match *step {
                Step::Opened(why) if self.state == State::MetricsOnly => {
                    let cause = self.cause_of(why);
                    log.push(Entry::WouldTrip { cause, counts });
                }
                Step::Opened(why) => {
                    self.open_learned(self.cause_of(why), counts, now, log);
                }
                Step::Ramps { share, why } => {
                    if self.state == State::HalfOpen && begins(why) {
                        // What the probes before still report is late, as that of any earlier visit.
                        self.epoch = self.epoch.after(1);
                    } else if self.state != State::HalfOpen {
                        self.enter_learned(State::HalfOpen, Cause::default(), counts, now, log);
                    }
                    if begins(why) {
                        self.begin_evidence();
                    }
                    log.push(Entry::Ramp { share_ppb: parts_per_billion(share), reason: ramp_reason(why) });
                }
                Step::Degraded { share } => {
                    log.push(Entry::Degraded { share_ppb: parts_per_billion(share) });
                }
                // The evidence goes on: calls of the ramp that end later are heard, unlike those of the opening before.
                Step::Closed => {
                    self.openings = 0;
                    self.enter_learned(State::Closed, Cause::default(), counts, now, log);
                }
            }
        }
    }

    /// Begins an outage: the cause and the counts of the opening are shown until it ends.
    fn open_learned(&mut self, cause: Cause, counts: Counts, now: Tick, log: &mut Log) {
        self.openings = self.openings.saturating_add(1);
        self.enter_learned(State::Open, cause, counts, now, log);
        let outage = self.outage_mut();
        outage.cause = cause;
        outage.frozen = counts;
        self.begin_evidence();
    }

    fn enter_learned(&mut self, to: State, cause: Cause, counts: Counts, now: Tick, log: &mut Log) {
        self.outage_mut();
        self.enter(to, now, cause, counts, log);
        if let Some(learned) = &mut self.learned {
            learned.counts = Counts::default();
        }
        // Each rejected call is asked of the evidence: no deadline is certain.
        let outage = self.outage_mut();
        outage.deadline = Tick(0);
        outage.wait = 0;
    }

    fn cause_of(&self, why: Opening) -> Cause {
        match why {
            Opening::Evidence(findings) => {
                let break_even = self.learned.as_ref().map_or(0.0, |learned| learned.adaptive.break_even());
                evidence(&findings, break_even)
            }
            Opening::Asked(_) | Opening::CutAway => Cause::plain(TripReason::Throttled),
        }
    }

    /// Opens by a control, or by a rule of the user's; `hold` is when calls may pass again.
    pub(super) fn open_by_hand_learned(
        &mut self,
        cause: Cause,
        hold: Option<Tick>,
        counts: Counts,
        now: Tick,
        log: &mut Log,
    ) {
        self.begin_learning(now);
        let Some(learned) = &mut self.learned else { return };
        learned.adaptive.open_by_hand(hold.map(at), at(now), &mut learned.dice);
        self.open_learned(cause, counts, now, log);
    }

    pub(super) fn close_by_hand_learned(&mut self, now: Tick) {
        if let Some(learned) = &mut self.learned {
            learned.adaptive.close_by_hand(at(now));
            learned.adaptive.watch(self.state == State::MetricsOnly);
            learned.counts = Counts::default();
        }
        self.begin_evidence();
    }

    /// What calls of earlier epochs still report is late.
    fn begin_evidence(&mut self) {
        if let Some(learned) = &mut self.learned {
            learned.since_epoch = self.epoch;
        }
    }

    pub(super) fn probe_now(&mut self, now: Tick) {
        if let Some(learned) = &mut self.learned {
            learned.adaptive.probe_now(at(now));
        }
    }

    /// Returns the learned numbers and the belief.
    pub(crate) fn known(&self, now: Tick) -> Option<Known> {
        let now = at(now.max(self.since));
        match &self.learned {
            Some(learned) => learned.decides.then(|| learned.adaptive.known(now)),
            // Before the first call: what every breaker of these numbers begins with.
            None => {
                let mut dice = SplitMix64::new(self.seed);
                self.numbers().map(|numbers| Adaptive::new(numbers, None, now, &mut dice).known(now))
            }
        }
    }

    /// Returns the state that an admission at `now` would find.
    pub(super) fn view_by_evidence(&self, now: Tick) -> View {
        let plain = self.plain_view();
        let Some(learned) = &self.learned else { return View { wait: 0, ..plain } };
        let adaptive = &learned.adaptive;
        let share_ppb = parts_per_billion(adaptive.share(at(now)));
        let common = View { share_ppb, reopenings: adaptive.relapses(), wait: 0, ..plain };
        match self.state {
            State::Open | State::HalfOpen => View {
                counts: Some(if self.state == State::Open { self.outage().frozen } else { learned.counts }),
                remaining: if self.state == State::Open { self.held_for(now) } else { Some(0) },
                ..common
            },
            State::Closed | State::ForcedOpen | State::Disabled | State::MetricsOnly => common,
        }
    }

    /// Returns the instant at which the next call would be admitted if no other one arrived before.
    pub(super) fn next_by_evidence(&self, now: Tick) -> Tick {
        let decides = self.learned.as_ref().filter(|_| matches!(self.state, State::Open | State::HalfOpen));
        decides.and_then(|learned| learned.adaptive.admits_at(at(now))).map_or(Tick::NEVER, tick)
    }

    /// The answer that a call would get now.
    pub(super) fn check_by_evidence(&self, now: Tick) -> Admission {
        match &self.learned {
            Some(learned) if !learned.adaptive.would_admit(at(now), &learned.dice) => {
                self.refusal_by_evidence(now)
            }
            Some(_) | None => Admission::Permitted,
        }
    }
}

/// For a wait of which nothing is certain.
const UNKNOWN: u64 = u64::MAX;

/// Whether a ramp begins, and does not only go on with another share.
fn begins(why: WhyRamp) -> bool {
    match why {
        WhyRamp::ProbesPassed | WhyRamp::HoldOver => true,
        WhyRamp::Slow | WhyRamp::Throttled => false,
    }
}

fn ramp_reason(why: WhyRamp) -> RampReason {
    match why {
        WhyRamp::ProbesPassed => RampReason::ProbesPassed,
        WhyRamp::HoldOver => RampReason::HoldOver,
        WhyRamp::Slow => RampReason::Slow,
        WhyRamp::Throttled => RampReason::Throttled,
    }
}

/// The numbers of an opening by evidence, in those of a rule: how sure, above which share, and of how many calls.
fn evidence(findings: &Findings, break_even: f64) -> Cause {
    Cause {
        reasons: Reasons::one(TripReason::Evidence),
        threshold: parts_per_billion(break_even),
        part: parts_per_billion(findings.sure),
        calls: findings.calls.round() as u32,
    }
}

fn parts_per_billion(share: f64) -> u32 {
    (share * 1e9).round() as u32
}
