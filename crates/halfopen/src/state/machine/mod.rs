mod view;

pub(crate) use view::View;

use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Opening};
use crate::counts::Counts;
use crate::policy::recovery::Finding;
use crate::policy::trip;
use crate::reason::{Cause, RampReason, RejectReason, TripReason};
use crate::state::half_open::{HalfOpenEnd, Passed, Probation};
use crate::state::{Change, Entry, Log};
use crate::word::State;

/// The automatic machine and the operator's switch: all that moves under the transition lock.
///
/// Plain data and pure arithmetic: time is an argument, every transition is pushed to a list for
/// whoever tells the listeners, and nothing here knows of threads.
#[derive(Debug)]
pub(crate) struct Machine {
    config: CircuitBreakerConfig,
    seed: u64,
    state: State,
    epoch: u64,
    /// When this state was entered.
    since: Tick,
    /// Openings that are not forgotten, the current one included: the step of the backoff.
    openings: u32,
    /// None until it opens for the first time, which most breakers never do.
    outage: Option<Box<Outage>>,
}

/// The opening under way, or the last one.
#[derive(Debug)]
struct Outage {
    /// The wait while open, and when it is over.
    wait: u64,
    deadline: Tick,
    /// The wait that a server asked for, where it is the longer one.
    hint: Option<u64>,
    /// What led to the opening, and what the window held then.
    cause: Cause,
    frozen: Counts,
    probation: Probation,
}

/// The answer to a call that asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Permitted,
    Refused { reason: RejectReason, left: u64, cause: Cause },
}

/// Whether an outcome belonged to the visit it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Counted,
    Late,
}

impl Machine {
    pub(crate) fn new(config: CircuitBreakerConfig, seed: u64, now: Tick) -> Machine {
        Machine { config, seed, state: State::Closed, epoch: 1, since: now, openings: 0, outage: None }
    }

    pub(crate) fn config(&self) -> &CircuitBreakerConfig {
        &self.config
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When the last change was made.
    pub(crate) fn since(&self) -> Tick {
        self.since
    }

    pub(crate) fn deadline(&self) -> Tick {
        self.outage.as_ref().map_or(Tick::NEVER, |outage| outage.deadline)
    }

    /// The whole wait of the opening under way, or of the last one.
    pub(crate) fn wait(&self) -> u64 {
        self.outage.as_ref().map_or(0, |outage| outage.wait)
    }

    pub(crate) fn cause(&self) -> Cause {
        self.outage.as_ref().map_or(Cause::default(), |outage| outage.cause)
    }

    /// Open and half-open alone ask.
    fn outage(&self) -> &Outage {
        self.outage.as_ref().expect("it has opened")
    }

    fn outage_mut(&mut self) -> &mut Outage {
        self.outage.get_or_insert_with(|| Box::new(Outage::new(&self.config)))
    }

    fn probation(&self) -> &Probation {
        &self.outage().probation
    }

    /// Replaces the configuration; whatever is going on goes on (S30).
    ///
    /// Returns the old one, which is dropped outside the lock: it may hold the user's own function.
    pub(crate) fn set_config(&mut self, config: CircuitBreakerConfig, log: &mut Log) -> CircuitBreakerConfig {
        log.push(Entry::ConfigChanged);
        std::mem::replace(&mut self.config, config)
    }

    /// Openings still remembered in Closed (S20).
    fn remembered(&self, now: Tick) -> u32 {
        match self.config.forget_after() {
            Some(period) => {
                let forgotten = now.since(self.since) / period.max(1);
                self.openings.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
            }
            None => self.openings,
        }
    }

    /// The opening that may end this visit, without the figures that led to it, for the user's own function;
    /// [`None`] where no opening can follow.
    pub(crate) fn opening_to_come(&self, now: Tick) -> Option<Opening> {
        let openings = match self.state {
            State::Closed => self.remembered(now),
            State::HalfOpen => self.openings,
            State::Open | State::ForcedOpen | State::Disabled | State::MetricsOnly => return None,
        };
        Some(Opening { openings, open_duration: self.config.open_duration(), ..Opening::default() })
    }

    /// The counts of a half-open visit, with one more probe that ends so.
    pub(crate) fn counts_with(&self, end: HalfOpenEnd) -> Counts {
        match &self.outage {
            Some(outage) => outage.probation.counts_with(end),
            None => Counts::default(),
        }
    }

    /// Opens a half-open visit that time has made due, as the next admission would.
    pub(crate) fn catch_up_wait(&mut self, now: Tick, log: &mut Log) {
        self.catch_up(now, log);
        if self.state == State::Open && now >= self.deadline() {
            self.half_open(log);
        }
    }

    /// Whether the wait after a probe that does not report is still to be planned.
    pub(crate) fn lacks_plan(&self) -> bool {
        self.state == State::HalfOpen
            && self.config.custom_backoff().is_some()
            && self.probation().planned.is_none()
    }

    /// The wait of the opening that a probe of `epoch` leads to if it does not report in time.
    pub(crate) fn plan(&mut self, epoch: u64, wait: u64) {
        if epoch == self.epoch && self.state == State::HalfOpen {
            self.outage_mut().probation.planned.get_or_insert(wait);
        }
    }

    fn overdue(&self, now: Tick) -> Option<Tick> {
        self.outage.as_ref()?.probation.due().filter(|&due| now >= due)
    }

    // ---- calls --------------------------------------------------------------------------------

    /// The one door (S1): lets a call in, with a probe's slot if it needs one, or refuses it.
    pub(crate) fn admit(&mut self, now: Tick, log: &mut Log) -> Admission {
        self.catch_up(now, log);
        match self.state {
            State::Closed | State::Disabled | State::MetricsOnly => Admission::Permitted,
            State::Open if now < self.deadline() => Admission::Refused {
                reason: RejectReason::Open,
                left: self.deadline().since(now),
                cause: self.cause(),
            },
            State::Open => {
                self.half_open(log);
                self.probe(now)
            }
            State::HalfOpen => self.probe(now),
            State::ForcedOpen => refuse(RejectReason::ForcedOpen),
        }
    }

    fn probe(&mut self, now: Tick) -> Admission {
        let probation = &mut self.outage_mut().probation;
        if probation.send(now) { Admission::Permitted } else { refuse(probation.full()) }
    }

    /// A probe of `epoch`, admitted at `started`, has ended.
    pub(crate) fn settle(
        &mut self,
        epoch: u64,
        started: Tick,
        end: HalfOpenEnd,
        planned: Option<u64>,
        now: Tick,
        log: &mut Log,
    ) -> Verdict {
        self.catch_up(now, log);
        if epoch != self.epoch {
            return Verdict::Late;
        }
        let hint = self.outage_mut().probation.take_back(started, end);
        match self.probation().judge() {
            Finding::Undecided => {}
            Finding::Recovered => self.passed(now, log),
            Finding::StillSick => {
                let (cause, counts) = (Cause::plain(TripReason::ProbeFailed), self.probation().counts());
                self.open(now, cause, counts, Wait::Usual { hint, planned }, log);
            }
        }
        Verdict::Counted
    }

    /// The probes have passed a verdict: closes, or begins a ramp (S31).
    fn passed(&mut self, now: Tick, log: &mut Log) {
        let probation = &mut self.outage_mut().probation;
        match probation.pass(now) {
            Passed::Closes => self.close(now, Cause::default(), log),
            Passed::Ramps => {
                let share_ppb = probation.share_ppb(now);
                log.push(Entry::Ramp { share_ppb, reason: RampReason::ProbesPassed });
            }
            Passed::GoesOn => {}
        }
    }

    /// Opens because rules fired in Closed; nothing if that visit has ended meanwhile (S9).
    pub(crate) fn trip(
        &mut self,
        epoch: u64,
        cause: Cause,
        counts: Counts,
        wait: Wait,
        now: Tick,
        log: &mut Log,
    ) {
        if epoch == self.epoch && self.state == State::Closed {
            self.open(now, cause, counts, wait, log);
        }
    }

    // ---- the operator -------------------------------------------------------------------------

    /// `trip()` and, with a wait that is given, `open_for()`: nothing under an override. `counts` are the
    /// window's.
    pub(crate) fn open_by_hand(&mut self, length: Wait, counts: Counts, now: Tick, log: &mut Log) {
        self.catch_up_wait(now, log);
        match self.state {
            State::Closed => self.open(now, trip::manual(), counts, length, log),
            State::HalfOpen => self.open(now, trip::manual(), self.probation().counts(), length, log),
            State::Open if matches!(length, Wait::Given(_)) => {
                // The same outage goes on: it is no further step of the backoff.
                self.openings = self.openings.saturating_sub(1);
                self.open(now, trip::manual(), self.outage().frozen, length, log);
            }
            State::Open | State::ForcedOpen | State::Disabled | State::MetricsOnly => {}
        }
    }

    /// Ends the wait of an open breaker, so that the next call is a probe; nothing in any other state.
    pub(crate) fn end_wait(&mut self, now: Tick, log: &mut Log) {
        self.catch_up(now, log);
        if self.state == State::Open && now < self.deadline() {
            self.half_open_at(now, trip::manual(), log);
        }
    }

    /// Lays an override over the machine, or with `Closed` takes it away; either way all is forgotten.
    pub(crate) fn force(&mut self, state: State, counts: Counts, now: Tick, log: &mut Log) {
        self.catch_up(now, log);
        let counts = self.visit_counts(counts);
        self.openings = 0;
        self.enter(state, now, trip::manual(), counts, log);
    }

    /// Closes by hand and says so.
    pub(crate) fn reset(&mut self, counts: Counts, now: Tick, log: &mut Log) {
        self.force(State::Closed, counts, now, log);
        log.push(Entry::Reset);
    }

    fn visit_counts(&self, window: Counts) -> Counts {
        match self.state {
            State::Closed | State::MetricsOnly => window,
            State::Open => self.outage().frozen,
            State::HalfOpen => self.probation().counts(),
            State::ForcedOpen | State::Disabled => Counts::default(),
        }
    }

    // ---- transitions --------------------------------------------------------------------------

    /// Makes the transitions of a probe that is overdue, dated when they were due (S24).
    pub(crate) fn catch_up(&mut self, now: Tick, log: &mut Log) {
        if self.state != State::HalfOpen {
            return;
        }
        if let Some(due) = self.overdue(now) {
            let cause = Cause::plain(TripReason::ProbeTimedOut);
            let wait = Wait::Usual { hint: None, planned: self.probation().planned };
            self.open(due, cause, self.probation().counts(), wait, log);
            if now >= self.deadline() {
                self.half_open(log);
            }
        }
    }

    fn open(&mut self, at: Tick, cause: Cause, counts: Counts, length: Wait, log: &mut Log) {
        let step = if self.state == State::Closed { self.remembered(at) } else { self.openings };
        let (wait, hint) = match length {
            Wait::Given(nanos) => (nanos, None),
            Wait::Usual { hint, planned } => {
                let usual = self.config.wait(planned, step, self.seed, self.epoch + 1);
                let hint = hint.map(|hint| hint.min(self.config.hint_max_nanos()));
                let longer = hint.filter(|&hint| hint > usual);
                (longer.unwrap_or(usual), longer)
            }
        };
        self.openings = step.saturating_add(1);
        self.enter(State::Open, at, cause, counts, log);
        let outage = self.outage_mut();
        outage.wait = wait;
        outage.hint = hint;
        outage.deadline = at.end_of_wait(wait);
        outage.cause = cause;
        outage.frozen = counts;
    }

    /// The wait is over; dated at the deadline, which every reader has seen pass.
    fn half_open(&mut self, log: &mut Log) {
        self.half_open_at(self.deadline(), Cause::default(), log);
    }

    fn half_open_at(&mut self, at: Tick, cause: Cause, log: &mut Log) {
        let fresh = Probation::new(&self.config);
        let outage = self.outage_mut();
        outage.probation = fresh;
        let counts = outage.frozen;
        self.enter(State::HalfOpen, at, cause, counts, log);
    }

    fn close(&mut self, now: Tick, cause: Cause, log: &mut Log) {
        if self.config.forget_after().is_none() {
            self.openings = 0;
        }
        let counts = self.probation().counts();
        self.enter(State::Closed, now, cause, counts, log);
    }

    fn enter(&mut self, to: State, at: Tick, cause: Cause, counts: Counts, log: &mut Log) {
        let from = std::mem::replace(&mut self.state, to);
        self.epoch += 1;
        self.since = at;
        if let Some(outage) = &mut self.outage {
            outage.deadline = Tick::NEVER;
            if to != State::HalfOpen {
                outage.probation.end();
            }
        }
        log.push(Entry::Change(Change { from, to, cause, counts, at }));
    }
}

/// How long an opening lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// What is configured, or a server's hint if that is longer. `planned` is the answer of the user's own
    /// function, which runs before the transition lock is taken.
    Usual {
        hint: Option<u64>,
        planned: Option<u64>,
    },
    Given(u64),
}

impl Outage {
    fn new(config: &CircuitBreakerConfig) -> Outage {
        Outage {
            wait: 0,
            hint: None,
            deadline: Tick::NEVER,
            cause: Cause::default(),
            frozen: Counts::default(),
            probation: Probation::new(config),
        }
    }
}

fn refuse(reason: RejectReason) -> Admission {
    Admission::Refused { reason, left: 0, cause: Cause::default() }
}

#[cfg(test)]
mod tests;
