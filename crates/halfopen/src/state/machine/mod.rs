mod adaptive;
mod view;

pub(crate) use adaptive::Heard;
pub(crate) use view::View;

use self::adaptive::Learned;
use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Opening};
use crate::counts::Counts;
use crate::outcome::Finished;
use crate::policy::recovery::Finding;
use crate::policy::trip;
use crate::reason::{Cause, RampReason, RejectReason, TripReason};
use crate::state::half_open::{Passed, Probation};
use crate::state::{Change, Entry, Log};
use crate::word::{Epoch, State};

/// The state machine: everything that changes under the transition lock.
///
/// It is plain data with pure functions. Time is an argument, transitions are appended to a [`Log`], and nothing in
/// this module deals with threads or listeners.
#[derive(Debug)]
pub(crate) struct Machine {
    config: CircuitBreakerConfig,
    seed: u64,
    state: State,
    epoch: Epoch,
    /// The time at which this state was entered.
    since: Tick,
    /// The number of openings that are not forgotten, including the current one: the step of the backoff.
    openings: u32,
    /// Allocated at the first opening, which most breakers never reach.
    outage: Option<Box<Outage>>,
    /// Of an adaptive breaker.
    learned: Option<Box<Learned>>,
}

/// The current opening, or the last one.
#[derive(Debug)]
struct Outage {
    /// The length of the wait while open.
    wait: u64,
    /// The end of the wait while open; otherwise [`Tick::NEVER`].
    deadline: Tick,
    /// The server's hint, if it determines the wait.
    hint: Option<u64>,
    cause: Cause,
    /// The counts on which the opening was decided.
    frozen: Counts,
    /// The half-open visit that follows the wait.
    probation: Probation,
}

/// The decision about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Permitted,
    /// `remaining` is the rest of the wait in nanoseconds, zero if it is unknown.
    Refused {
        reason: RejectReason,
        remaining: u64,
        cause: Cause,
    },
}

/// Rules that hold for an outcome in `Closed`, which opens the breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fired {
    /// The visit in which they were evaluated.
    pub(crate) epoch: Epoch,
    pub(crate) cause: Cause,
    /// The counts for which they hold.
    pub(crate) counts: Counts,
    pub(crate) wait: Wait,
}

/// The end of a call that was admitted as a probe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProbeEnd<'a> {
    /// The visit that admitted it.
    pub(crate) epoch: Epoch,
    /// The time of its admission, by which its slot is found.
    pub(crate) started: Tick,
    pub(crate) call: &'a Finished,
    /// The wait that the user's own function returned for the case that this end opens the breaker.
    pub(crate) planned: Option<u64>,
}

impl Machine {
    pub(crate) fn new(config: CircuitBreakerConfig, seed: u64, now: Tick) -> Machine {
        let mut machine = Machine {
            config,
            seed,
            state: State::Closed,
            epoch: Epoch::FIRST,
            since: now,
            openings: 0,
            outage: None,
            learned: None,
        };
        machine.adapt(now);
        machine
    }

    pub(crate) fn config(&self) -> &CircuitBreakerConfig {
        &self.config
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the time of the last transition.
    pub(crate) fn since(&self) -> Tick {
        self.since
    }

    pub(crate) fn deadline(&self) -> Tick {
        // `NEVER` before the first opening, as after each one: in no other state than `Open` does a wait end.
        self.outage.as_ref().map_or(Tick::NEVER, |outage| outage.deadline)
    }

    /// Returns the whole wait of the current opening, or of the last one.
    pub(crate) fn wait(&self) -> u64 {
        self.outage.as_ref().map_or(0, |outage| outage.wait)
    }

    pub(crate) fn cause(&self) -> Cause {
        self.outage.as_ref().map_or(Cause::default(), |outage| outage.cause)
    }

    /// Called only in open and half-open.
    fn outage(&self) -> &Outage {
        self.outage.as_ref().expect("open and half-open follow an opening")
    }

    fn outage_mut(&mut self) -> &mut Outage {
        self.outage.get_or_insert_with(|| Box::new(Outage::new(&self.config)))
    }

    fn probation(&self) -> &Probation {
        &self.outage().probation
    }

    /// Replaces the configuration; the current visit continues (S30).
    ///
    /// Returns the old one, which the caller must drop without the lock: it may contain the user's own function.
    pub(crate) fn set_config(
        &mut self,
        config: CircuitBreakerConfig,
        now: Tick,
        log: &mut Log,
    ) -> CircuitBreakerConfig {
        // No transition, but it is logged, so that the word is published again with the flags of the new
        // configuration.
        log.push(Entry::ConfigChanged);
        let old = std::mem::replace(&mut self.config, config);
        self.adapt(now);
        // The probes of rules are none of the evidence that begins: without one in flight, the breaker is open.
        if self.learns() {
            self.settle_probes(now, log);
        }
        old
    }

    /// Returns the number of openings that are not forgotten yet in `Closed` (S20).
    fn remembered(&self, now: Tick) -> u32 {
        match self.config.forget_after() {
            Some(period) => {
                // One opening for each whole period since the breaker closed. Computed when it is asked for, so
                // that nothing has to run while a breaker is healthy.
                let forgotten = now.since(self.since) / period.max(1);
                self.openings.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
            }
            None => self.openings,
        }
    }

    /// Returns the opening that can end this visit, for the user's own function, without the numbers that would lead to
    /// it. Returns [`None`] in states that no opening can follow.
    pub(crate) fn opening_to_come(&self, now: Tick) -> Option<Opening> {
        let openings = match self.state {
            State::Closed => self.remembered(now),
            // The openings that led here: a failed probe is the next step of the same outage.
            State::HalfOpen => self.openings,
            // An open breaker opens again only by a wait that is given, and the overrides never by a rule.
            State::Open | State::ForcedOpen | State::Disabled | State::MetricsOnly => return None,
        };
        Some(Opening { openings, open_duration: self.config.open_duration(), ..Opening::default() })
    }

    /// Returns the counts of a half-open visit after one more probe that ended like this.
    pub(crate) fn counts_with(&self, call: &Finished) -> Counts {
        match &self.outage {
            Some(outage) => outage.probation.counts_with(call),
            None => Counts::default(),
        }
    }

    /// Makes the transitions that are due, including that to half-open at the end of the wait, as the next admission
    /// would.
    pub(crate) fn catch_up_wait(&mut self, now: Tick, log: &mut Log) {
        self.catch_up(now, log);
        if !self.learns() && self.state == State::Open && now >= self.deadline() {
            self.half_open(log);
        }
    }

    /// Returns whether the wait that follows an overdue probe has not been planned yet.
    pub(crate) fn lacks_plan(&self) -> bool {
        self.state == State::HalfOpen
            && self.config.custom_backoff().is_some()
            && self.probation().planned.is_none()
    }

    /// Stores the wait of the opening that follows if a probe of this epoch is overdue.
    pub(crate) fn plan(&mut self, epoch: Epoch, wait: u64) {
        // The first plan of a visit stays, so that all readers see the same wait.
        if epoch == self.epoch && self.state == State::HalfOpen {
            self.outage_mut().probation.planned.get_or_insert(wait);
        }
    }

    fn overdue(&self, now: Tick) -> Option<Tick> {
        self.outage.as_ref()?.probation.due().filter(|&due| now >= due)
    }

    // ---- calls --------------------------------------------------------------------------------

    /// Decides about a call (S1): admits it, with a probe slot if it needs one, or refuses it.
    pub(crate) fn admit(&mut self, now: Tick, log: &mut Log) -> Admission {
        self.catch_up(now, log);
        match self.state {
            State::Closed | State::Disabled | State::MetricsOnly => Admission::Permitted,
            // Rejections in `Open` are usually decided without the lock, from the published deadline: only a call that
            // raced with the opening comes here.
            State::Open if now < self.deadline() => Admission::Refused {
                reason: RejectReason::Open,
                remaining: self.deadline().since(now),
                cause: self.cause(),
            },
            // The wait is over: the call that finds it so is the first probe.
            State::Open => {
                self.half_open(log);
                self.probe(now)
            }
            State::HalfOpen => self.probe(now),
            State::ForcedOpen => refuse(RejectReason::ForcedOpen),
        }
    }

    fn probe(&mut self, now: Tick) -> Admission {
        // The slot is taken in the same step that decides about it, under the lock: two calls never share one.
        let probation = &mut self.outage_mut().probation;
        if probation.send(now) { Admission::Permitted } else { refuse(probation.full()) }
    }

    /// Records the end of a probe, and makes the transition to which it leads. Returns false if it is late: its visit has
    /// ended.
    #[must_use]
    pub(crate) fn settle(&mut self, end: ProbeEnd<'_>, now: Tick, log: &mut Log) -> bool {
        // First, because an overdue probe ends the visit, and this can be that probe.
        self.catch_up(now, log);
        // A probe of a breaker that has become adaptive since is one of another epoch to it.
        if end.epoch != self.epoch || self.learns() {
            return false;
        }
        self.outage_mut().probation.take_back(end.started, end.call);
        match self.probation().evaluate() {
            Finding::Undecided => {}
            Finding::Recovered => self.passed(now, log),
            Finding::StillSick => {
                let (cause, counts) = (Cause::plain(TripReason::ProbeFailed), self.probation().counts());
                // The hint of this call alone: those of earlier probes did not open the breaker (S21).
                let wait = Wait::Configured { hint: end.call.hint, planned: end.planned };
                self.open(now, cause, counts, wait, log);
            }
        }
        true
    }

    /// Closes the breaker or begins a ramp, after the probes have passed a verdict (S31).
    fn passed(&mut self, now: Tick, log: &mut Log) {
        let probation = &mut self.outage_mut().probation;
        match probation.pass(now) {
            Passed::Closes => self.close(now, Cause::default(), log),
            Passed::Ramps => {
                let share_ppb = probation.share_ppb(now);
                log.push(Entry::Ramp { share_ppb, reason: RampReason::ProbesPassed });
            }
            // The ramp keeps its schedule: an intermediate verdict only confirms it.
            Passed::GoesOn => {}
        }
    }

    /// Opens the breaker because rules fired in `Closed`. No effect if that visit has ended since (S9).
    pub(crate) fn trip(&mut self, fired: Fired, now: Tick, log: &mut Log) {
        if fired.epoch == self.epoch && self.state == State::Closed {
            if self.learns() {
                return self.open_by_hand_learned(fired.cause, None, fired.counts, now, log);
            }
            self.open(now, fired.cause, fired.counts, fired.wait, log);
        }
    }

    // ---- the operator -------------------------------------------------------------------------

    /// Implements `trip()` and, with a given wait, `open_for()`, for an operator or a fleet. No effect under an override.
    /// `counts` are those of the window.
    pub(crate) fn open_by_hand(
        &mut self,
        by: TripReason,
        length: Wait,
        counts: Counts,
        now: Tick,
        log: &mut Log,
    ) {
        let cause = Cause::plain(by);
        self.catch_up_wait(now, log);
        if self.learns() {
            let hold = match length {
                Wait::Given(nanos) => Some(now.end_of_wait(nanos)),
                Wait::Configured { .. } if self.state == State::Open => return,
                Wait::Configured { .. } => None,
            };
            let counts = self.visit_counts(counts);
            return self.open_by_hand_learned(cause, hold, counts, now, log);
        }
        match self.state {
            // The state after the transitions that were due decides, not the one that the operator last saw.
            State::Closed => self.open(now, cause, counts, length, log),
            State::HalfOpen => self.open(now, cause, self.probation().counts(), length, log),
            State::Open if matches!(length, Wait::Given(_)) => {
                // The same outage continues, so this is not another step of the backoff.
                self.openings = self.openings.saturating_sub(1);
                self.open(now, cause, self.outage().frozen, length, log);
            }
            State::Open | State::ForcedOpen | State::Disabled | State::MetricsOnly => {}
        }
    }

    /// Ends the wait of an open breaker, so that the next call is a probe. No effect in other states.
    pub(crate) fn end_wait(&mut self, by: TripReason, now: Tick, log: &mut Log) {
        self.catch_up(now, log);
        if self.learns() {
            // Not in half-open: a probe that is in flight is not a wait.
            if self.state == State::Open {
                self.probe_now(now);
            }
            return;
        }
        if self.state == State::Open && now < self.deadline() {
            // Dated now, not at the deadline, which has not been reached.
            self.half_open_at(now, Cause::plain(by), log);
        }
    }

    /// Sets an override, or with `Closed` removes it. Either way the earlier openings are forgotten.
    pub(crate) fn force(&mut self, state: State, counts: Counts, now: Tick, log: &mut Log) {
        self.catch_up(now, log);
        // Before the state changes: a change reports the counts of the visit that it ends.
        let counts = self.visit_counts(counts);
        self.openings = 0;
        self.enter(state, now, trip::manual(), counts, log);
        self.close_by_hand_learned(now);
    }

    /// Closes the breaker by hand, and reports the reset in addition.
    pub(crate) fn reset(&mut self, counts: Counts, now: Tick, log: &mut Log) {
        // Also if the breaker is closed: a reset begins a new visit, in which no call in flight counts any more.
        self.force(State::Closed, counts, now, log);
        log.push(Entry::Reset);
    }

    /// Returns the counts of the current visit; `window` are those of the window.
    pub(crate) fn visit_counts(&self, window: Counts) -> Counts {
        match self.state {
            State::Closed | State::MetricsOnly => window,
            State::Open => self.outage().frozen,
            State::HalfOpen if self.learns() => self.view(self.since).counts.unwrap_or_default(),
            State::HalfOpen => self.probation().counts(),
            State::ForcedOpen | State::Disabled => Counts::default(),
        }
    }

    // ---- transitions --------------------------------------------------------------------------

    /// Makes the transitions of an overdue probe, dated at the instants at which they were due (S24).
    pub(crate) fn catch_up(&mut self, now: Tick, log: &mut Log) {
        if self.state != State::HalfOpen || self.learns() {
            return;
        }
        if let Some(due) = self.overdue(now) {
            let cause = Cause::plain(TripReason::ProbeTimedOut);
            let wait = Wait::Configured { hint: None, planned: self.probation().planned };
            self.open(due, cause, self.probation().counts(), wait, log);
            // At most one more transition: a new half-open visit has no probe that could be overdue.
            if now >= self.deadline() {
                self.half_open(log);
            }
        }
    }

    fn open(&mut self, at: Tick, cause: Cause, counts: Counts, length: Wait, log: &mut Log) {
        // Openings are forgotten only with time spent in `Closed`, so in other states all of them count.
        let step = if self.state == State::Closed { self.remembered(at) } else { self.openings };
        let (wait, hint) = match length {
            Wait::Given(nanos) => (nanos, None),
            Wait::Configured { hint, planned } => {
                // The jitter follows from the epoch that this opening is about to begin, as in `View`.
                let usual = self.config.wait(planned, step, self.seed, self.epoch.after(1));
                let hint = hint.map(|hint| hint.min(self.config.hint_max_nanos()));
                let longer = hint.filter(|&hint| hint > usual);
                (longer.unwrap_or(usual), longer)
            }
        };
        // The next opening of this outage is one step further. After a half-open visit that passes, `close` forgets
        // them.
        self.openings = step.saturating_add(1);
        // First, because it resets the deadline.
        self.enter(State::Open, at, cause, counts, log);
        let outage = self.outage_mut();
        outage.wait = wait;
        outage.hint = hint;
        outage.deadline = at.end_of_wait(wait);
        outage.cause = cause;
        outage.frozen = counts;
    }

    /// Enters half-open at the end of the wait. It is dated at the deadline, from which on readers see half-open.
    fn half_open(&mut self, log: &mut Log) {
        self.half_open_at(self.deadline(), Cause::default(), log);
    }

    fn half_open_at(&mut self, at: Tick, cause: Cause, log: &mut Log) {
        // The change reports the counts that opened the breaker: the visit that begins has none of its own yet.
        let counts = self.outage_mut().frozen;
        self.enter(State::HalfOpen, at, cause, counts, log);
    }

    fn close(&mut self, now: Tick, cause: Cause, log: &mut Log) {
        // With `forget_after`, openings are forgotten one by one in `remembered` instead.
        if self.config.forget_after().is_none() {
            self.openings = 0;
        }
        let counts = self.probation().counts();
        self.enter(State::Closed, now, cause, counts, log);
    }

    fn enter(&mut self, to: State, at: Tick, cause: Cause, counts: Counts, log: &mut Log) {
        // The one place where the state changes. Every change takes a new epoch, also one to the same state, so
        // that calls in flight become late.
        let from = std::mem::replace(&mut self.state, to);
        self.epoch = self.epoch.after(1);
        self.since = at;
        if let Some(outage) = &mut self.outage {
            // Only an open breaker has a deadline; `open` sets it afterwards.
            outage.deadline = Tick::NEVER;
            if to == State::HalfOpen {
                // The visit takes the configuration that is current now and keeps it to its end (S30). A visit by evidence
                // has its probes elsewhere, but rules may decide again before it ends.
                outage.probation = Probation::new(&self.config);
            } else {
                // Their permits have the epoch of this visit, so they will be late and would never release their
                // slots.
                outage.probation.end();
            }
        }
        log.push(Entry::Change(Change { from, to, cause, counts, at }));
    }
}

/// The length of an opening.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// The configured wait, or a server's hint if that is longer. `planned` is the result of the user's own
    /// function, which is called before the transition lock is taken.
    Configured {
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
    Admission::Refused { reason, remaining: 0, cause: Cause::default() }
}

#[cfg(test)]
mod tests;
