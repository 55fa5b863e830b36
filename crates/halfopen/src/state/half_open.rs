use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Recovery};
use crate::counts::Counts;
use crate::outcome::{Ended, Finished};
use crate::policy::ramp::{self, Ramp};
use crate::policy::recovery::{self, Finding, Tally};
use crate::reason::RejectReason;

/// A half-open visit. It keeps the configuration with which it began until it ends (S30).
#[derive(Debug)]
pub(super) struct Probation {
    recovery: Recovery,
    probe_timeout: u64,
    slow_ppb: Option<u32>,
    /// The wait that the user's own function returned for the case that a probe does not report.
    pub(super) planned: Option<u64>,
    /// The admission time of each probe in flight, the earliest first. A deque, because most probes end in the order
    /// of their admission: a removal moves only the shorter side, so that thousands of probes do not cost quadratic
    /// time.
    in_flight: VecDeque<Tick>,
    /// The outcomes since the last verdict, on which the next one is decided.
    tally: Tally,
    /// The outcomes of earlier verdicts, all of which passed.
    before: Tally,
    run: Run,
    ramp_length: Option<u64>,
    /// The current ramp, after the first verdict.
    ramp: Option<Ramp>,
}

/// The consequence of a verdict that the probes have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// The breaker closes.
    Closes,
    /// A ramp begins.
    Ramps,
    /// The ramp continues.
    GoesOn,
}

impl Probes {
    /// Returns the probes of the next visit with this configuration.
    pub(crate) fn to_come(config: &CircuitBreakerConfig) -> Probes {
        Probation::new(config).probes(Tick(0))
    }
}

/// The current run of failures or successes.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    failures: u64,
    successes: u64,
}

/// The probes of a visit, for snapshots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probes {
    pub(crate) recovery: Recovery,
    /// The threshold of the slow-call rule.
    pub(crate) slow_ppb: Option<u32>,
    pub(crate) tally: Tally,
    pub(crate) in_flight: u64,
    /// The time until the first of them is overdue.
    pub(crate) due_in: Duration,
    pub(crate) has_slot: bool,
    /// The nanoseconds until the ramp admits every call, if there is a ramp.
    pub(crate) ramp_left: Option<u64>,
}

impl Probation {
    pub(super) fn new(config: &CircuitBreakerConfig) -> Probation {
        Probation {
            recovery: config.recovery(),
            probe_timeout: config.probe_timeout_nanos(),
            slow_ppb: config.slow_ppb(),
            planned: None,
            in_flight: VecDeque::new(),
            tally: Tally::default(),
            before: Tally::default(),
            run: Run::default(),
            ramp_length: config.ramp_nanos(),
            ramp: None,
        }
    }

    /// Returns whether the next call would be admitted.
    pub(super) fn has_slot(&self, now: Tick) -> bool {
        match &self.ramp {
            Some(ramp) => ramp.admits(now),
            None => recovery::has_slot(self.recovery, self.in_flight.len() as u64, &self.tally),
        }
    }

    /// Returns the reason for which a call without a slot is rejected.
    pub(super) fn full(&self) -> RejectReason {
        if self.ramp.is_some() { RejectReason::HalfOpenRamp } else { RejectReason::HalfOpenSaturated }
    }

    /// Admits a call if there is a slot or if the call belongs to the share of the ramp; returns whether it did.
    pub(super) fn send(&mut self, now: Tick) -> bool {
        let admitted = match &mut self.ramp {
            // An attempt changes the credit of the ramp whether it is admitted or not, which `has_slot` must not.
            Some(ramp) => ramp.attempt(now),
            None => self.has_slot(now),
        };
        if admitted {
            self.note_sent(now);
        }
        admitted
    }

    fn note_sent(&mut self, now: Tick) {
        // Not always at the end: the clock is read before the lock is taken, so admissions can arrive out of order.
        let place = self.in_flight.partition_point(|&started| started <= now);
        self.in_flight.insert(place, now);
    }

    /// Returns the admitted share of the calls, in parts per billion; zero before the first verdict.
    pub(super) fn share_ppb(&self, now: Tick) -> u32 {
        let share = self.ramp.as_ref().map_or(0, |ramp| ramp.share(now));
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// Returns the instant at which the decision about a call changes by itself: a probe is overdue, or the share of the
    /// ramp is large enough.
    pub(super) fn next(&self, now: Tick) -> Tick {
        // Without a ramp, a saturated visit changes only with an overdue probe, or with the end of one, which is
        // signalled.
        let due = self.due().unwrap_or(Tick::NEVER);
        match &self.ramp {
            Some(ramp) if !ramp.admits(now) => due.min(ramp.admits_at()),
            Some(_) | None => due,
        }
    }

    /// Notes that the probes have passed a verdict, and starts the next one; returns the consequence.
    pub(super) fn pass(&mut self, now: Tick) -> Passed {
        // The next verdict needs probes of its own: an outcome that has passed one verdict is not counted again.
        self.before = self.before.plus(&self.tally);
        self.tally = Tally::default();
        match (&self.ramp, self.ramp_length) {
            (Some(ramp), _) if ramp.share(now) == ramp::ALL => Passed::Closes,
            (Some(_), _) => Passed::GoesOn,
            // A ramp begins after the first verdict, and each later verdict of the same visit only lets it go on.
            (None, Some(length)) => {
                self.ramp = Some(Ramp::begin(length, now));
                Passed::Ramps
            }
            (None, None) => Passed::Closes,
        }
    }

    /// Returns the instant at which the first of the probes in flight is overdue.
    pub(super) fn due(&self) -> Option<Tick> {
        self.in_flight.front().map(|started| started.after(self.probe_timeout))
    }

    /// Releases the slot of a probe and records how it ended.
    pub(super) fn take_back(&mut self, started: Tick, call: &Finished) {
        if let Ok(place) = self.in_flight.binary_search(&started) {
            self.in_flight.remove(place);
        }
        match call.ended {
            Ended::Success => {
                self.tally.successes += 1;
                self.tally.slow += u64::from(call.slow);
                self.tally.passed += u64::from(!call.slow);
                self.run = Run { failures: 0, successes: self.run.successes + 1 };
            }
            Ended::Failure => {
                self.tally.failures += 1;
                self.tally.slow += u64::from(call.slow);
                self.run = Run { failures: self.run.failures + 1, successes: 0 };
            }
            // No evidence: only the slot is released, for another probe.
            Ended::Ignored | Ended::Abandoned | Ended::Late => {}
        }
    }

    /// Ends the visit: what its probes report afterwards is late.
    pub(super) fn end(&mut self) {
        self.in_flight.clear();
    }

    pub(super) fn evaluate(&self) -> Finding {
        // Probes that were all ignored or abandoned leave the visit undecided (S23).
        if self.tally.calls() == 0 {
            return Finding::Undecided;
        }
        recovery::evaluate(self.recovery, self.slow_ppb, &self.tally)
    }

    /// Returns the counts of the whole visit.
    pub(super) fn counts(&self) -> Counts {
        // Verdicts are internal: a change and a snapshot show all outcomes of the visit.
        let all = self.before.plus(&self.tally);
        Counts {
            calls: all.calls(),
            failures: all.failures,
            successes: all.successes,
            slow: all.slow,
            overdue: 0,
            consecutive_failures: self.run.failures,
            consecutive_successes: self.run.successes,
        }
    }

    /// Returns the counts of the visit after one more probe that ended like this.
    pub(super) fn counts_with(&self, call: &Finished) -> Counts {
        let counts = self.counts();
        match call.ended {
            Ended::Success => Counts { calls: counts.calls + 1, successes: counts.successes + 1, ..counts },
            Ended::Failure => Counts { calls: counts.calls + 1, failures: counts.failures + 1, ..counts },
            Ended::Ignored | Ended::Abandoned | Ended::Late => counts,
        }
    }

    /// Returns the probes of the visit at `now`.
    pub(super) fn probes(&self, now: Tick) -> Probes {
        Probes {
            recovery: self.recovery,
            slow_ppb: self.slow_ppb,
            tally: self.tally,
            in_flight: self.in_flight.len() as u64,
            due_in: self.due().map_or(Duration::ZERO, |due| Duration::from_nanos(due.since(now))),
            has_slot: self.has_slot(now),
            ramp_left: self.ramp.as_ref().map(|ramp| ramp.remaining(now)),
        }
    }
}
