use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Recovery};
use crate::counts::Counts;
use crate::policy::ramp::{self, Ramp};
use crate::policy::recovery;
use crate::policy::recovery::{Finding, Tally};
use crate::reason::RejectReason;

/// One half-open visit, judged to its end by the numbers it began with (S30).
#[derive(Debug)]
pub(super) struct Probation {
    recovery: Recovery,
    probe_timeout: u64,
    slow_ppb: Option<u32>,
    /// The wait that the user's own function has returned for a probe that does not report.
    pub(super) planned: Option<u64>,
    /// When each probe that is out was admitted, earliest first. A deque, because most end in the order in which
    /// they began: the shorter side of the gap is moved, so that thousands of probes cost no square of it.
    out: VecDeque<Tick>,
    /// What is judged: the outcomes since the last verdict.
    tally: Tally,
    /// The outcomes of the verdicts before, which have all passed.
    before: Tally,
    run: Run,
    ramp_length: Option<u64>,
    /// The ramp under way, after the first verdict.
    ramp: Option<Ramp>,
}

/// What follows from a verdict that the probes have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// The breaker closes.
    Closes,
    /// A ramp begins.
    Ramps,
    /// The ramp goes on.
    GoesOn,
}

impl Probes {
    /// What the next visit with this configuration has to show.
    pub(crate) fn to_come(config: &CircuitBreakerConfig) -> Probes {
        Probation::new(config).probes(Tick(0))
    }
}

/// Failures or successes in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    failures: u64,
    successes: u64,
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

/// The probes of one visit, for telling a person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probes {
    pub(crate) recovery: Recovery,
    /// The slow-call rule's threshold.
    pub(crate) slow_ppb: Option<u32>,
    pub(crate) tally: Tally,
    pub(crate) out: u64,
    /// How long the first of them has left.
    pub(crate) due_in: Duration,
    pub(crate) has_slot: bool,
    /// The nanoseconds until the ramp admits every call, where there is a ramp.
    pub(crate) ramp_left: Option<u64>,
}

impl Probation {
    pub(super) fn new(config: &CircuitBreakerConfig) -> Probation {
        Probation {
            recovery: config.recovery(),
            probe_timeout: config.probe_timeout_nanos(),
            slow_ppb: config.slow_ppb(),
            planned: None,
            out: VecDeque::new(),
            tally: Tally::default(),
            before: Tally::default(),
            run: Run::default(),
            ramp_length: config.ramp_nanos(),
            ramp: None,
        }
    }

    /// Whether the next call would be admitted.
    pub(super) fn has_slot(&self, now: Tick) -> bool {
        match &self.ramp {
            Some(ramp) => ramp.admits(now),
            None => recovery::has_slot(self.recovery, self.out.len() as u64, &self.tally),
        }
    }

    /// Why a call is rejected that finds no slot.
    pub(super) fn full(&self) -> RejectReason {
        if self.ramp.is_some() { RejectReason::HalfOpenRamp } else { RejectReason::HalfOpenSaturated }
    }

    /// Admits a call, if it finds a slot or belongs to the share of the ramp.
    pub(super) fn send(&mut self, now: Tick) -> bool {
        let admitted = match &mut self.ramp {
            Some(ramp) => ramp.attempt(now),
            None => self.has_slot(now),
        };
        if admitted {
            self.note_sent(now);
        }
        admitted
    }

    fn note_sent(&mut self, now: Tick) {
        let place = self.out.partition_point(|&started| started <= now);
        self.out.insert(place, now);
    }

    /// The share of the calls that is admitted, in parts per billion; zero while probes are awaited.
    pub(super) fn share_ppb(&self, now: Tick) -> u32 {
        let share = self.ramp.as_ref().map_or(0, |ramp| ramp.share(now));
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// When time alone changes the answer to a call: a probe is overdue, or the share of the ramp has grown.
    pub(super) fn next(&self, now: Tick) -> Tick {
        let due = self.due().unwrap_or(Tick::NEVER);
        match &self.ramp {
            Some(ramp) if !ramp.admits(now) => due.min(ramp.admits_at()),
            Some(_) | None => due,
        }
    }

    /// The probes have passed a verdict: what follows, and the next verdict begins.
    pub(super) fn pass(&mut self, now: Tick) -> Passed {
        self.before = self.before.plus(&self.tally);
        self.tally = Tally::default();
        match (&self.ramp, self.ramp_length) {
            (Some(ramp), _) if ramp.share(now) == ramp::ALL => Passed::Closes,
            (Some(_), _) => Passed::GoesOn,
            (None, Some(length)) => {
                self.ramp = Some(Ramp::begin(length, now));
                Passed::Ramps
            }
            (None, None) => Passed::Closes,
        }
    }

    /// When the first of the probes that are out must have reported.
    pub(super) fn due(&self) -> Option<Tick> {
        self.out.front().map(|started| started.after(self.probe_timeout))
    }

    /// Gives the slot back and notes how the probe ended; the hint of a failure comes back.
    pub(super) fn take_back(&mut self, started: Tick, end: HalfOpenEnd) -> Option<u64> {
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

    /// The visit is over: what its probes still report is late.
    pub(super) fn end(&mut self) {
        self.out.clear();
    }

    pub(super) fn judge(&self) -> Finding {
        if self.tally.calls() == 0 {
            return Finding::Undecided;
        }
        recovery::judge(self.recovery, self.slow_ppb, &self.tally)
    }

    /// The outcomes of the whole visit.
    pub(super) fn counts(&self) -> Counts {
        let all = self.before.plus(&self.tally);
        Counts {
            calls: all.calls(),
            failures: all.failures,
            successes: all.successes,
            slow: all.slow,
            consecutive_failures: self.run.failures,
            consecutive_successes: self.run.successes,
        }
    }

    /// The counts with one more probe that ends so.
    pub(super) fn counts_with(&self, end: HalfOpenEnd) -> Counts {
        let counts = self.counts();
        match end {
            HalfOpenEnd::Success { .. } => {
                Counts { calls: counts.calls + 1, successes: counts.successes + 1, ..counts }
            }
            HalfOpenEnd::Failure { .. } => {
                Counts { calls: counts.calls + 1, failures: counts.failures + 1, ..counts }
            }
            HalfOpenEnd::Nothing => counts,
        }
    }

    /// How the visit stands at `now`.
    pub(super) fn probes(&self, now: Tick) -> Probes {
        Probes {
            recovery: self.recovery,
            slow_ppb: self.slow_ppb,
            tally: self.tally,
            out: self.out.len() as u64,
            due_in: self.due().map_or(Duration::ZERO, |due| Duration::from_nanos(due.since(now))),
            has_slot: self.has_slot(now),
            ramp_left: self.ramp.as_ref().map(|ramp| ramp.left(now)),
        }
    }
}
