use std::time::Duration;

use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Recovery};
use crate::policy::recovery::{self, Finding, Tally};
use crate::policy::trip;
use crate::state::{Cause, Change, Entry, Log};
use crate::{Counts, RejectReason, State, TripReason};

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
    /// What led to the opening, and what the window held then.
    cause: Cause,
    frozen: Counts,
    probation: Probation,
}

/// One half-open visit, judged to its end by the numbers it began with (S30).
#[derive(Debug)]
struct Probation {
    recovery: Recovery,
    probe_timeout: u64,
    slow_ppb: Option<u32>,
    /// When each probe that is out was admitted, earliest first.
    out: Vec<Tick>,
    tally: Tally,
    run: Run,
}

/// Failures or successes in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    failures: u64,
    successes: u64,
}

/// The probes of one visit, for telling a person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probes {
    pub(crate) recovery: Recovery,
    pub(crate) out: u64,
    /// How long the first of them has left.
    pub(crate) due_in: Duration,
    pub(crate) has_slot: bool,
}

/// The answer to a call that asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Permitted,
    Refused { reason: RejectReason, left: u64, cause: Cause },
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HalfOpenEnd {
    Success {
        slow: bool,
    },
    Failure {
        slow: bool,
        hint: Option<u64>,
    },
    /// Ignored or abandoned: only the slot is given back.
    Nothing,
}

/// Whether an outcome belonged to the visit it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Counted,
    Late,
}

/// The breaker as an admission at some moment would find it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) since: Tick,
    /// None where the window has them.
    pub(crate) counts: Option<Counts>,
    pub(crate) left: Option<u64>,
    pub(crate) reopenings: u32,
    pub(crate) wait: u64,
    /// Whether this is what the state word says, or what time has made of it since.
    pub(crate) moved: bool,
    /// When time alone will change it.
    pub(crate) next: Tick,
    has_slot: bool,
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

    pub(crate) fn deadline(&self) -> Tick {
        self.outage.as_ref().map_or(Tick::NEVER, |outage| outage.deadline)
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
    pub(crate) fn set_config(&mut self, config: CircuitBreakerConfig, log: &mut Log) {
        self.config = config;
        log.push(Entry::ConfigChanged);
    }

    // ---- asking -------------------------------------------------------------------------------

    /// What an admission at `now` would find (S18, S24); changes nothing.
    pub(crate) fn view(&self, now: Tick) -> View {
        match self.state {
            State::Closed => {
                let openings = self.remembered(now);
                View {
                    reopenings: openings,
                    wait: self.config.wait(openings, self.seed, self.epoch + 1),
                    ..self.plain_view()
                }
            }
            State::Open => self.open_view(now, Opening::current(self), false),
            State::HalfOpen => match self.overdue(now) {
                Some(due) => self.open_view(now, Opening::after_overdue(self, due), true),
                None => View {
                    counts: Some(self.probation().counts()),
                    reopenings: self.openings.saturating_sub(1),
                    wait: self.config.wait(self.openings, self.seed, self.epoch + 1),
                    next: self.probation().due().unwrap_or(Tick::NEVER),
                    has_slot: self.probation().has_slot(),
                    ..self.plain_view()
                },
            },
            State::ForcedOpen => View { counts: Some(Counts::default()), left: None, ..self.plain_view() },
            State::Disabled => View { counts: Some(Counts::default()), ..self.plain_view() },
            State::MetricsOnly => self.plain_view(),
        }
    }

    fn plain_view(&self) -> View {
        View {
            state: self.state,
            since: self.since,
            counts: None,
            left: Some(0),
            reopenings: 0,
            wait: self.config.wait(0, self.seed, self.epoch + 2),
            moved: false,
            next: Tick::NEVER,
            has_slot: true,
        }
    }

    /// An opening, or the half-open visit that follows once its wait is over.
    fn open_view(&self, now: Tick, opening: Opening, moved: bool) -> View {
        let open = View {
            state: State::Open,
            since: opening.since,
            counts: Some(opening.counts),
            left: Some(opening.deadline.since(now)),
            reopenings: opening.step,
            wait: opening.wait,
            moved,
            next: opening.deadline,
            ..self.plain_view()
        };
        if now < opening.deadline {
            return open;
        }
        View {
            state: State::HalfOpen,
            since: opening.deadline,
            counts: Some(Counts::default()),
            left: Some(0),
            wait: self.config.wait(opening.step.saturating_add(1), self.seed, opening.epoch + 2),
            moved: true,
            next: Tick::NEVER,
            has_slot: true,
            ..open
        }
    }

    /// The answer an admission at `now` would get; takes nothing.
    pub(crate) fn check(&self, now: Tick) -> Admission {
        let view = self.view(now);
        match view.state {
            State::Closed | State::Disabled | State::MetricsOnly => Admission::Permitted,
            State::Open => {
                // Open without an opening that anybody has noted: a probe is overdue.
                let overdue = Cause::plain(TripReason::ProbeTimedOut);
                let cause = if view.moved { overdue } else { self.cause() };
                Admission::Refused { reason: RejectReason::Open, left: view.left.unwrap_or(0), cause }
            }
            State::HalfOpen if view.has_slot => Admission::Permitted,
            State::HalfOpen => refuse(RejectReason::HalfOpenSaturated),
            State::ForcedOpen => refuse(RejectReason::ForcedOpen),
        }
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

    fn overdue(&self, now: Tick) -> Option<Tick> {
        self.outage.as_ref()?.probation.due().filter(|&due| now >= due)
    }

    /// Why it opened last, as of `now`.
    pub(crate) fn why(&self, now: Tick) -> Cause {
        match self.overdue(now) {
            Some(_) if self.state == State::HalfOpen => Cause::plain(TripReason::ProbeTimedOut),
            Some(_) | None => self.cause(),
        }
    }

    /// The probes of the visit that goes on at `now`, or that will be the next.
    pub(crate) fn probes(&self, now: Tick) -> Probes {
        let probation = self.outage.as_ref().map(|outage| &outage.probation);
        let due = |probation: &Probation| probation.due().filter(|&due| now < due);
        let under_way = probation.filter(|_| self.state == State::HalfOpen);
        match under_way.and_then(|probation| Some((probation, due(probation)?))) {
            Some((probation, due)) => Probes {
                recovery: probation.recovery,
                out: probation.out.len() as u64,
                due_in: Duration::from_nanos(due.since(now)),
                has_slot: probation.has_slot(),
            },
            None => Probes {
                recovery: self.recovery_in_force(now),
                out: 0,
                due_in: Duration::ZERO,
                has_slot: true,
            },
        }
    }

    /// A visit is judged to its end by the numbers it began with; the next by those of its time.
    fn recovery_in_force(&self, now: Tick) -> Recovery {
        let goes_on = self.state == State::HalfOpen && self.overdue(now).is_none();
        if goes_on { self.probation().recovery } else { self.config.recovery() }
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
        if !probation.has_slot() {
            return refuse(RejectReason::HalfOpenSaturated);
        }
        probation.send(now);
        Admission::Permitted
    }

    /// A probe of `epoch`, admitted at `started`, has ended.
    pub(crate) fn settle(
        &mut self,
        epoch: u64,
        started: Tick,
        end: HalfOpenEnd,
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
            Finding::Recovered => self.close(now, Cause::default(), log),
            Finding::StillSick => {
                let (cause, counts) = (Cause::plain(TripReason::ProbeFailed), self.probation().counts());
                self.open(now, cause, counts, Wait::Usual { hint }, log);
            }
        }
        Verdict::Counted
    }

    /// Opens because rules fired in Closed; nothing if that visit has ended meanwhile (S9).
    pub(crate) fn trip(
        &mut self,
        epoch: u64,
        cause: Cause,
        counts: Counts,
        hint: Option<u64>,
        now: Tick,
        log: &mut Log,
    ) {
        if epoch == self.epoch && self.state == State::Closed {
            self.open(now, cause, counts, Wait::Usual { hint }, log);
        }
    }

    // ---- the operator -------------------------------------------------------------------------

    /// `trip()` and, with a wait, `open_for()`: nothing under an override. `counts` are the window's.
    pub(crate) fn open_by_hand(&mut self, wait: Option<u64>, counts: Counts, now: Tick, log: &mut Log) {
        self.catch_up(now, log);
        if self.state == State::Open && now >= self.deadline() {
            self.half_open(log);
        }
        let length = wait.map_or(Wait::Usual { hint: None }, Wait::Given);
        match self.state {
            State::Closed => self.open(now, trip::manual(), counts, length, log),
            State::HalfOpen => self.open(now, trip::manual(), self.probation().counts(), length, log),
            State::Open if wait.is_some() => {
                // The same outage goes on: it is no further step of the backoff.
                self.openings = self.openings.saturating_sub(1);
                self.open(now, trip::manual(), self.outage().frozen, length, log);
            }
            State::Open | State::ForcedOpen | State::Disabled | State::MetricsOnly => {}
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
            self.open(due, cause, self.probation().counts(), Wait::Usual { hint: None }, log);
            if now >= self.deadline() {
                self.half_open(log);
            }
        }
    }

    fn open(&mut self, at: Tick, cause: Cause, counts: Counts, length: Wait, log: &mut Log) {
        let step = if self.state == State::Closed { self.remembered(at) } else { self.openings };
        let wait = match length {
            Wait::Given(nanos) => nanos,
            Wait::Usual { hint } => {
                let usual = self.config.wait(step, self.seed, self.epoch + 1);
                usual.max(hint.map_or(0, |hint| hint.min(self.config.hint_max_nanos())))
            }
        };
        self.openings = step.saturating_add(1);
        self.enter(State::Open, at, cause, counts, log);
        let outage = self.outage_mut();
        outage.wait = wait;
        outage.deadline = at.after(wait);
        outage.cause = cause;
        outage.frozen = counts;
    }

    /// The wait is over; dated at the deadline, which every reader has seen pass.
    fn half_open(&mut self, log: &mut Log) {
        let fresh = Probation::new(&self.config);
        let outage = self.outage_mut();
        outage.probation = fresh;
        let (at, counts) = (outage.deadline, outage.frozen);
        self.enter(State::HalfOpen, at, Cause::default(), counts, log);
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
                outage.probation.out.clear();
            }
        }
        log.push(Entry::Change(Change { from, to, cause, counts, at }));
    }
}

/// How long an opening lasts.
#[derive(Clone, Copy)]
enum Wait {
    Usual { hint: Option<u64> },
    Given(u64),
}

/// An opening that has happened, or that time has brought about and nobody has noted yet.
#[derive(Clone, Copy)]
struct Opening {
    since: Tick,
    deadline: Tick,
    wait: u64,
    step: u32,
    epoch: u64,
    counts: Counts,
}

impl Opening {
    fn current(machine: &Machine) -> Opening {
        Opening {
            since: machine.since,
            deadline: machine.deadline(),
            wait: machine.outage().wait,
            step: machine.openings.saturating_sub(1),
            epoch: machine.epoch,
            counts: machine.outage().frozen,
        }
    }

    fn after_overdue(machine: &Machine, due: Tick) -> Opening {
        let epoch = machine.epoch + 1;
        let wait = machine.config.wait(machine.openings, machine.seed, epoch);
        Opening {
            since: due,
            deadline: due.after(wait),
            wait,
            step: machine.openings,
            epoch,
            counts: machine.probation().counts(),
        }
    }
}

impl Outage {
    fn new(config: &CircuitBreakerConfig) -> Outage {
        Outage {
            wait: 0,
            deadline: Tick::NEVER,
            cause: Cause::default(),
            frozen: Counts::default(),
            probation: Probation::new(config),
        }
    }
}

impl Probation {
    fn new(config: &CircuitBreakerConfig) -> Probation {
        Probation {
            recovery: config.recovery(),
            probe_timeout: config.probe_timeout_nanos(),
            slow_ppb: config.slow_ppb(),
            out: Vec::new(),
            tally: Tally::default(),
            run: Run::default(),
        }
    }

    fn has_slot(&self) -> bool {
        recovery::has_slot(self.recovery, self.out.len() as u64, &self.tally)
    }

    fn send(&mut self, now: Tick) {
        let place = self.out.partition_point(|&started| started <= now);
        self.out.insert(place, now);
    }

    /// When the first of the probes that are out must have reported.
    fn due(&self) -> Option<Tick> {
        self.out.first().map(|started| started.after(self.probe_timeout))
    }

    /// Gives the slot back and notes how the probe ended; the hint of a failure comes back.
    fn take_back(&mut self, started: Tick, end: HalfOpenEnd) -> Option<u64> {
        if let Ok(place) = self.out.binary_search(&started) {
            self.out.remove(place);
        }
        match end {
            HalfOpenEnd::Success { slow } => {
                self.tally.successes += 1;
                self.tally.slow += u64::from(slow);
                self.tally.passed += u64::from(!slow);
                self.run = Run { failures: 0, successes: self.run.successes + 1 };
                None
            }
            HalfOpenEnd::Failure { slow, hint } => {
                self.tally.failures += 1;
                self.tally.slow += u64::from(slow);
                self.run = Run { failures: self.run.failures + 1, successes: 0 };
                hint
            }
            HalfOpenEnd::Nothing => None,
        }
    }

    fn judge(&self) -> Finding {
        if self.tally.calls() == 0 {
            return Finding::Undecided;
        }
        recovery::judge(self.recovery, self.slow_ppb, &self.tally)
    }

    fn counts(&self) -> Counts {
        Counts {
            calls: self.tally.calls(),
            failures: self.tally.failures,
            successes: self.tally.successes,
            slow: self.tally.slow,
            consecutive_failures: self.run.failures,
            consecutive_successes: self.run.successes,
        }
    }
}

fn refuse(reason: RejectReason) -> Admission {
    Admission::Refused { reason, left: 0, cause: Cause::default() }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
