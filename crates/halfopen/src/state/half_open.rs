use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Tick;
use crate::config::{CircuitBreakerConfig, Recovery};
use crate::counts::Counts;
use crate::policy::recovery;
use crate::policy::recovery::{Finding, Tally};

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
    tally: Tally,
    run: Run,
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
            run: Run::default(),
        }
    }

    pub(super) fn has_slot(&self) -> bool {
        recovery::has_slot(self.recovery, self.out.len() as u64, &self.tally)
    }

    pub(super) fn send(&mut self, now: Tick) {
        let place = self.out.partition_point(|&started| started <= now);
        self.out.insert(place, now);
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

    pub(super) fn counts(&self) -> Counts {
        Counts {
            calls: self.tally.calls(),
            failures: self.tally.failures,
            successes: self.tally.successes,
            slow: self.tally.slow,
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
            has_slot: self.has_slot(),
        }
    }
}
