//! The breaker without numbers to choose: a belief decides when to open, when to ask, and when to close.

mod closed;
mod control;
mod known;
mod numbers;
mod open;
mod overdue;
mod ramp;
mod steps;
mod tally;

use std::sync::Arc;

pub(crate) use numbers::Numbers;
pub(crate) use steps::{Admitted, Dice, End, Findings, Known, Mode, Opening, Step, Unlocked, WhyRamp};

use self::open::{Incident, Waiting};
use self::ramp::Ramp;
use self::tally::{Tally, share};
use super::baseline::{Arrivals, Baseline};
use super::belief::{Belief, Prior, Seconds};
use super::flight::Flight;
use super::traffic::{Left, Schedule, Traffic};

/// The state of an adaptive breaker, with time passed in.
#[derive(Clone, Debug)]
pub(crate) struct Adaptive {
    numbers: Numbers,
    mode: Mode,
    epoch: u64,
    arrivals: Arrivals,
    baseline: Baseline,
    /// Whether a call has arrived: time counts from the first one on.
    begun: bool,
    belief: Belief,
    tally: Tally,
    /// The tally at the last opening.
    opened_by: Tally,
    flight: Flight,
    incident: Incident,
    waiting: Waiting,
    ramp: Ramp,
    /// Throttled calls without a success between them, and since the last cut or success.
    throttles_in_a_row: u32,
    throttles_since_cut: u32,
    /// Whether it is closed and has reported that its dependency is degraded.
    degraded: bool,
    /// Where calls are admitted without the lock while it is closed.
    concurrent: Option<Concurrent>,
    watch: Watch,
}

/// The calls that are admitted without the lock.
#[derive(Clone, Debug)]
struct Concurrent {
    traffic: Arc<Traffic>,
    schedule: Schedule,
}

/// Whether the evidence only watches, and never leaves closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    No,
    /// It would be closed.
    Closed,
    /// It would be open.
    Open,
}

/// After an incident the next is expected within so many times the time since then, and a little more.
const RELAPSE_MULTIPLE: f64 = 300.0;
const RELAPSE_OFFSET: Seconds = 3.0;

impl Adaptive {
    /// Closed, with nothing learned yet.
    ///
    /// With `traffic`, calls in closed are admitted by [`Traffic::enter`], and [`tend`](Self::tend) stands for
    /// [`admit`](Self::admit).
    pub(crate) fn new(
        numbers: Numbers,
        traffic: Option<Arc<Traffic>>,
        now: Seconds,
        dice: &mut impl Dice,
    ) -> Adaptive {
        let concurrent = traffic.map(|traffic| Concurrent { traffic, schedule: Schedule::new() });
        let mut adaptive = Adaptive {
            numbers,
            mode: Mode::Closed,
            epoch: 0,
            arrivals: Arrivals::new(now),
            baseline: Baseline::new(now),
            begun: false,
            belief: Belief::healthy(),
            tally: Tally { at: now, ..Tally::default() },
            opened_by: Tally::default(),
            flight: Flight::new(now),
            incident: Incident { tripped_at: 0.0, closed_at: None, age: 0.0, relapses: 0 },
            waiting: Waiting { lost: 0.0, jitter: 1.0, next: 0.0, latest: 0.0, hold: None },
            ramp: Ramp {
                share: 1.0,
                since: 0.0,
                length: 0.0,
                evidence_from: f64::NEG_INFINITY,
                good: 0,
                good_since_cut: 0,
                good_beginning: 0,
                began_well: false,
                cuts: 0,
                credit: dice.roll(),
            },
            throttles_in_a_row: 0,
            throttles_since_cut: 0,
            degraded: false,
            concurrent,
            watch: Watch::No,
        };
        adaptive.begin_closed(now);
        adaptive
    }

    /// A call of this epoch that was admitted at `start`.
    pub(crate) fn admitted(&self, start: Seconds, unlocked: Option<Unlocked>) -> Admitted {
        Admitted { start, epoch: self.epoch, unlocked }
    }

    pub(crate) fn prior(&self, now: Seconds) -> Prior {
        self.prior_at(self.arrivals.rate(now), now)
    }

    /// The same where the rate of arrivals is known already, which takes two exponentials.
    fn prior_at(&self, rate: f64, now: Seconds) -> Prior {
        Prior {
            normal: self.baseline.share(),
            break_even: self.baseline.break_even(self.numbers.break_even),
            onset: self.onset(rate, now),
        }
    }

    /// The chance that an incident begins between two calls, of which so many arrive in a second.
    fn onset(&self, rate: f64, now: Seconds) -> f64 {
        let after = |closed: Seconds| RELAPSE_MULTIPLE * ((now - closed).max(0.0) + RELAPSE_OFFSET);
        let soon = self.incident.closed_at.map_or(f64::INFINITY, after);
        let interval = self.numbers.false_trip_interval.min(soon);
        (1.0 / (rate * interval)).clamp(1e-9, 1e-2)
    }

    /// Makes the steps that are due without a call: reads the calls of the traffic, and judges those that are overdue.
    pub(crate) fn tend(&mut self, now: Seconds, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        if !self.begun {
            self.begun = true;
            (self.arrivals, self.baseline) = (Arrivals::new(now), Baseline::new(now));
            self.tally.at = now;
        }
        self.read_traffic(now);
        self.judge_overdue(now, dice, steps);
    }

    /// Takes note of the calls that an open breaker has rejected without the lock.
    pub(crate) fn missed(&mut self, now: Seconds) {
        if let Some(Concurrent { traffic, .. }) = &self.concurrent {
            self.arrivals.arrive(now, traffic.take_missed());
        }
    }

    /// Publishes the learned limits to the calls in closed, which take no lock.
    pub(crate) fn publish(&self) {
        if let (Mode::Closed, Some(Concurrent { traffic, schedule })) = (self.mode, &self.concurrent) {
            traffic.set_limits(self.slow_limit(), self.overdue_limit());
            schedule.set_edge(traffic, self.overdue_limit());
        }
    }

    /// Admits a call, or not.
    pub(crate) fn admit(
        &mut self,
        now: Seconds,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) -> Option<Admitted> {
        self.tend(now, dice, steps);
        self.arrivals.arrive(now, 1);
        if let (Mode::Open, Some(hold)) = (self.mode, self.waiting.hold) {
            if now < hold {
                return None;
            }
            self.begin_ramp(now, WhyRamp::HoldOver, dice, steps);
        }
        let admitted = match self.mode {
            Mode::Closed => true,
            Mode::Open => self.is_probe_due(now),
            Mode::Ramp => self.ramp.attempt(now),
        };
        if !admitted {
            return None;
        }
        if self.mode == Mode::Open {
            self.begin_gap(now, dice);
        }
        if self.mode == Mode::Closed && self.concurrent.is_some() {
            // An overdue call has ended a ramp: this call is the first one of the traffic, and counted there alone.
            self.read_traffic(now);
        } else {
            self.flight.enter(now, self.overdue_limit());
        }
        Some(self.admitted(now, None))
    }

    /// A call is given up: it is no evidence.
    pub(crate) fn cancel(&mut self, call: Admitted) {
        if call.epoch == self.epoch && call.unlocked.is_none() {
            self.flight.leave(call.start, false);
        }
    }

    /// Learns how a call ended, which `took` so long.
    pub(crate) fn record(
        &mut self,
        call: Admitted,
        end: End,
        took: Seconds,
        now: Seconds,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        if call.epoch != self.epoch {
            return;
        }
        let late = match call.unlocked {
            Some(unlocked) => unlocked.late,
            None => self.slow_limit().is_some_and(|limit| took > limit),
        };
        let good = end == End::Good && !late;
        let was_judged = match call.unlocked {
            Some(unlocked) => unlocked.left == Left::Judged,
            None => {
                let judged = self.flight.is_judged(call.start);
                self.flight.leave(call.start, good);
                judged
            }
        };
        self.tend(now, dice, steps);
        if call.epoch != self.epoch {
            return;
        }
        let judged = was_judged || (late && self.is_old_news(now, call.start));
        let slow_success = end == End::Good && late;
        if slow_success && (self.mode == Mode::Open || (self.mode == Mode::Ramp && self.ramp.cuts >= 2)) {
            self.baseline.accept_slow(now, took);
        }
        match end {
            End::Good => self.forgive_throttles(),
            End::Throttled { hint } => {
                if self.throttled(call, hint, now, dice, steps) {
                    return;
                }
            }
            End::Failed => {}
        }
        match self.mode {
            Mode::Closed => self.record_closed(call, end, late, judged, took, now, dice, steps),
            Mode::Open if was_judged && good => {
                // It answered after all: its verdict is taken back.
                self.probed(now, -1.0, 1.0, dice, steps);
            }
            Mode::Open if !judged => self.probed(now, share(!good), share(good), dice, steps),
            Mode::Ramp if !judged && call.start >= self.ramp.evidence_from => {
                self.record_ramp(good, late, now, dice, steps);
            }
            Mode::Open | Mode::Ramp => {}
        }
    }
}
