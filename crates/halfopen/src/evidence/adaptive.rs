//! The breaker without numbers to choose: a belief decides when to open, when to ask, and when to close.

use std::sync::Arc;
use std::time::Duration;

use super::baseline::{Arrivals, Baseline, fading};
use super::belief::{Belief, Prior, Seconds, TRIP_WORTH};
use super::flight::{Flight, Overdue, UNKNOWN_WIDTH, is_old_news};
use super::traffic::{Left, Pending, Schedule, Traffic};
use crate::config::{self, SlowKind};

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Numbers {
    /// The share of bad calls above which a call is not worth making.
    pub(crate) break_even: f64,
    /// Independent bad calls at the normal share open it so seldom.
    pub(crate) false_trip_interval: Seconds,
    pub(crate) slow: SlowLimit,
    pub(crate) max_probe_gap: Seconds,
    pub(crate) hint_max: Seconds,
}

/// From when on an answer is slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SlowLimit {
    /// None is.
    Off,
    /// From so many times the 95 % quantile of the successes, and never below 0.7 s.
    Learned(f64),
    /// From this duration.
    Fixed(Seconds),
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers {
            break_even: 0.5,
            false_trip_interval: 604_800.0,
            slow: SlowLimit::Learned(3.0),
            max_probe_gap: 30.0,
            hint_max: 120.0,
        }
    }
}

impl Numbers {
    /// The numbers of a configuration.
    pub(crate) fn of(written: &config::Adaptive, hint_max: Duration) -> Numbers {
        Numbers {
            break_even: written.break_even_share(),
            false_trip_interval: written.time_between_false_trips().as_secs_f64(),
            slow: match written.slow_answers().kind() {
                SlowKind::Off => SlowLimit::Off,
                SlowKind::Learned { multiple } => SlowLimit::Learned(multiple),
                SlowKind::Limit { limit } => SlowLimit::Fixed(limit.as_secs_f64()),
            },
            max_probe_gap: written.longest_probe_gap().as_secs_f64(),
            hint_max: hint_max.as_secs_f64(),
        }
    }
}

/// No slow limit is learned below this.
const SLOW_FLOOR: Seconds = 0.7;
/// A probe is overdue after so many times the 95 % quantile, and no sooner than this.
const PROBE_MULTIPLE: f64 = 1.5;
const PROBE_FLOOR: Seconds = 0.02;
/// After an incident the next is expected within so many times the time since then, and a little more.
const RELAPSE_MULTIPLE: f64 = 300.0;
const RELAPSE_OFFSET: Seconds = 3.0;
/// The price of a probe where a call is worth next to nothing, and what each probe in flight adds to it.
const LEAST_PRICE: f64 = 0.05;
const PRICE_IN_FLIGHT: f64 = 0.5;
/// A ramp is so long for each second of the incident, within these limits; a shorter one than the least is none.
const RAMP_PER_INCIDENT: f64 = 0.02;
const RAMP_LONGEST_FIRST: Seconds = 5.0;
const RAMP_LEAST: Seconds = 0.25;
const RAMP_AFTER_CUT: Seconds = 2.0;
const RAMP_LONGEST: Seconds = 20.0;
const RAMP_FIRST_SHARE: f64 = 0.2;
const LEAST_SHARE: f64 = 0.02;
const MOST_RELAPSES: i32 = 4;
/// Good calls in a ramp before it may close, and at its start before it counts as begun well.
const GOOD_TO_CLOSE: u32 = 4;
const GOOD_BEGINNING: u32 = 3;
/// A ramp closes below this probability of being down.
const DOWN_TO_CLOSE: f64 = 0.2;
/// Above this probability of being down, a dependency that is worth calling is degraded.
const DEGRADED: f64 = 0.5;
/// Throttled calls since the last success that cut the share, and in a row that obey a hint.
const THROTTLES_TO_CUT: u32 = 2;
const THROTTLES_TO_OBEY: u32 = 4;

/// How exactly the moment of the next probe is found.
const PRECISION: Seconds = 1e-6;

/// What stays of the tally at each call.
const TALLY_PER_CALL: f64 = 31.0 / 32.0;
/// The narrowest bucket of calls in flight.
const NARROWEST: Seconds = 0.001;
/// The time between two successes whose latency is learned, once it is known.
const BETWEEN_SAMPLES: Seconds = 0.05;
/// Results that found the evidence locked are weighed so many at a time, lest the likelihoods vanish.
const WEIGHED_TOGETHER: u64 = 32;

/// What the breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Closed,
    Open,
    /// A growing share is admitted.
    Ramp,
}

/// A call that was admitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Admitted {
    pub(crate) start: Seconds,
    pub(crate) epoch: u64,
    /// The state of a call that was admitted without the lock, and has ended.
    pub(crate) unlocked: Option<Unlocked>,
}

/// A call of the [`Traffic`], after it has left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unlocked {
    pub(crate) left: Left,
    /// Whether it took longer than the slow limit.
    pub(crate) late: bool,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Good,
    Failed,
    Throttled { hint: Option<Seconds> },
}

/// Something that the breaker did, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Opened(Opening),
    /// The share of calls that is admitted from now on.
    Ramps {
        share: f64,
        why: WhyRamp,
    },
    Closed,
    /// Closed, it is more likely down than not, and at this share of bad calls, or no longer so.
    Degraded {
        share: f64,
    },
}

/// Why the breaker opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Opening {
    Evidence(Findings),
    /// The server asked for so many seconds.
    Asked(Seconds),
    /// The share was cut to next to nothing.
    CutAway,
}

/// The evidence that led to an opening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Findings {
    /// The probability that more than break-even of the calls are bad.
    pub(crate) sure: f64,
    pub(crate) bad: f64,
    pub(crate) calls: f64,
    /// Of the bad ones.
    pub(crate) slow: f64,
    pub(crate) normal: f64,
    pub(crate) worth: f64,
    pub(crate) relapse: bool,
}

/// The learned numbers and the belief of an adaptive breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) normal: f64,
    pub(crate) break_even: f64,
    pub(crate) p95: Option<Seconds>,
    pub(crate) slow_limit: Option<Seconds>,
    pub(crate) down: f64,
    pub(crate) likeliest: f64,
    pub(crate) worth: f64,
    pub(crate) bad_calls_to_trip: Option<u32>,
    /// The moment by which a probe is sent at the latest.
    pub(crate) probe_by: Option<Seconds>,
    pub(crate) relapses: u32,
}

/// Why the share that is admitted changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhyRamp {
    ProbesPassed,
    HoldOver,
    Slow,
    Throttled,
}

/// A source of chance: the jitter of probes and of holds, and the first call of a ramp.
pub(crate) trait Dice {
    /// Evenly distributed from 0 to 1.
    fn roll(&mut self) -> f64;
}

/// What led to the doubt, fading: for the explanation alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    bad: f64,
    good: f64,
    slow: f64,
    at: Seconds,
}

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

/// Results that are weighed together.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Results {
    bad: f64,
    /// Of the bad ones.
    slow: f64,
    good: f64,
}

/// The incident under way, or the last one.
#[derive(Clone, Copy, Debug)]
struct Incident {
    tripped_at: Seconds,
    closed_at: Option<Seconds>,
    /// How old it was when it ended.
    age: Seconds,
    relapses: i32,
}

/// The time between probes.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Good calls lost, it is believed, by not knowing since the last probe.
    lost: f64,
    jitter: f64,
    next: Seconds,
    latest: Seconds,
    /// A server asked for silence until then.
    hold: Option<Seconds>,
}

/// The way back.
#[derive(Clone, Copy, Debug)]
struct Ramp {
    share: f64,
    since: Seconds,
    length: Seconds,
    /// Results of calls from before this moment are no evidence.
    evidence_from: Seconds,
    good: u32,
    good_since_cut: u32,
    good_beginning: u32,
    began_well: bool,
    cuts: u32,
    credit: f64,
}

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

    // ---- what follows from the numbers --------------------------------------------------------

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn belief(&self) -> &Belief {
        &self.belief
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Returns the learned numbers and the belief, as of `now`.
    pub(crate) fn known(&self, now: Seconds) -> Known {
        let prior = self.prior(now);
        let mut belief = self.belief.clone();
        belief.advance(now);
        Known {
            normal: prior.normal,
            break_even: prior.break_even,
            p95: self.baseline.p95(),
            slow_limit: self.slow_limit(),
            down: belief.down(),
            likeliest: belief.likeliest_share(&prior),
            worth: belief.worth(&prior),
            bad_calls_to_trip: (self.mode == Mode::Closed)
                .then(|| belief.bad_calls_to_trip(&prior, self.age_of_a_new_doubt(now), now)),
            probe_by: (self.mode == Mode::Open).then_some(self.waiting.latest),
            relapses: self.relapses(),
        }
    }

    /// A call of this epoch that was admitted at `start`.
    pub(crate) fn admitted(&self, start: Seconds, unlocked: Option<Unlocked>) -> Admitted {
        Admitted { start, epoch: self.epoch, unlocked }
    }

    /// Whether a success is evidence: a closed breaker doubts that its dependency is up, or has seen a throttled call
    /// since the last success.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.belief.is_in_doubt() || self.throttles_in_a_row > 0 || self.throttles_since_cut > 0
    }

    /// The share of bad calls above which a call is not worth making, given the normal share.
    pub(crate) fn break_even(&self) -> f64 {
        self.baseline.break_even(self.numbers.break_even)
    }

    /// Probes, or calls of the ramp, in flight.
    pub(crate) fn out(&self) -> u32 {
        self.flight.out()
    }

    pub(crate) fn relapses(&self) -> u32 {
        u32::try_from(self.incident.relapses).unwrap_or(0)
    }

    /// Until when a server asked for silence.
    pub(crate) fn hold(&self) -> Option<Seconds> {
        self.waiting.hold
    }

    /// Whether a call would be admitted now.
    pub(crate) fn would_admit(&self, now: Seconds, dice: &(impl Dice + Clone)) -> bool {
        let judges = |limit| self.flight.has_overdue(now, limit);
        match self.mode {
            Mode::Closed => true,
            // Calls in flight are judged first, which may change everything: asked of a copy.
            Mode::Open | Mode::Ramp if !self.begun || self.overdue_limit().is_some_and(judges) => {
                let mut copy = self.clone();
                copy.concurrent = None;
                copy.admit(now, &mut dice.clone(), &mut Vec::new()).is_some()
            }
            Mode::Open => self.would_probe(now),
            Mode::Ramp => self.ramp.credit + self.ramp.share(now) >= 1.0,
        }
    }

    /// Whether a call that arrives at `now` would be a probe, or the first one after a hold.
    fn would_probe(&self, now: Seconds) -> bool {
        if let Some(hold) = self.waiting.hold {
            return now >= hold;
        }
        let mut arrivals = self.arrivals;
        arrivals.arrive(now, 1);
        let (mut belief, prior) = (self.belief.clone(), self.prior_with(&arrivals, now));
        let (elapsed, before) = (belief.since_advance(now), belief.up());
        belief.advance(now);
        let lost = self.waiting.lost + lost_in(elapsed, arrivals.rate(now), before, belief.up());
        self.is_due(now, lost, belief.worth(&prior))
    }

    /// The next moment at which a call would be admitted that is rejected now, if no other call arrives before.
    pub(crate) fn admits_at(&self, now: Seconds) -> Option<Seconds> {
        match self.mode {
            Mode::Closed => None,
            Mode::Ramp => {
                let missing = 1.0 - self.ramp.credit - self.ramp.share;
                let at = self.ramp.since + missing * self.ramp.length;
                (self.ramp.credit + self.ramp.share(now) < 1.0).then_some(at.max(now))
            }
            Mode::Open => {
                if let Some(hold) = self.waiting.hold {
                    return Some(hold);
                }
                let (mut low, mut high) = (now, self.waiting.latest.max(now));
                if self.would_probe(low) {
                    return Some(low);
                }
                // The belief in recovery, and with it the loss, grows with time.
                while high - low > PRECISION {
                    let middle = 0.5 * (low + high);
                    if self.would_probe(middle) { high = middle } else { low = middle }
                }
                Some(high)
            }
        }
    }

    /// Replaces the numbers; the learned ones and the belief stay.
    pub(crate) fn set_numbers(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    /// Opens by a control, and sends no probe before `hold`.
    pub(crate) fn open_by_hand(&mut self, hold: Option<Seconds>, now: Seconds, dice: &mut impl Dice) {
        self.incident.tripped_at = now;
        self.incident.relapses = 0;
        self.belief = Belief::unknown(now, 0.0);
        self.open(now, Opening::CutAway, dice, &mut Vec::new());
        if let Some(hold) = hold {
            self.waiting = Waiting { hold: Some(hold), next: hold, latest: hold, ..self.waiting };
        }
    }

    /// Ends the wait: the next call is a probe.
    pub(crate) fn probe_now(&mut self, now: Seconds) {
        self.waiting = Waiting { hold: None, next: now, latest: now, ..self.waiting };
    }

    /// Closes by a control: without a doubt; the learned numbers stay.
    pub(crate) fn close_by_hand(&mut self, now: Seconds) {
        self.mode = Mode::Closed;
        self.begin_epoch(now);
        self.waiting.hold = None;
        self.incident = Incident { tripped_at: 0.0, closed_at: None, age: 0.0, relapses: 0 };
        self.ramp.length = 0.0;
        self.acquit();
        self.baseline.resume(now);
        self.begin_closed(now);
    }

    /// Only watches from now on, in closed, or decides again.
    pub(crate) fn watch(&mut self, watches: bool) {
        self.watch = if watches { Watch::Closed } else { Watch::No };
    }

    fn begin_closed(&mut self, now: Seconds) {
        self.degraded = false;
        if let Some(Concurrent { traffic, schedule }) = &mut self.concurrent {
            schedule.begin(traffic, now);
        }
    }

    pub(crate) fn prior(&self, now: Seconds) -> Prior {
        self.prior_with(&self.arrivals, now)
    }

    fn prior_with(&self, arrivals: &Arrivals, now: Seconds) -> Prior {
        Prior {
            normal: self.baseline.share(),
            break_even: self.baseline.break_even(self.numbers.break_even),
            onset: self.onset_with(arrivals, now),
        }
    }

    fn onset(&self, now: Seconds) -> f64 {
        self.onset_with(&self.arrivals, now)
    }

    fn onset_with(&self, arrivals: &Arrivals, now: Seconds) -> f64 {
        let after = |closed: Seconds| RELAPSE_MULTIPLE * (now - closed + RELAPSE_OFFSET);
        let soon = self.incident.closed_at.map_or(f64::INFINITY, after);
        let interval = self.numbers.false_trip_interval.min(soon);
        (1.0 / (arrivals.rate(now) * interval)).clamp(1e-9, 1e-2)
    }

    /// From when on an answer is slow, where any is.
    pub(crate) fn slow_limit(&self) -> Option<Seconds> {
        match self.numbers.slow {
            SlowLimit::Off => None,
            SlowLimit::Learned(multiple) => {
                let p95 = self.baseline.p95().filter(|_| self.baseline.is_warm())?;
                Some((p95 * multiple).max(SLOW_FLOOR))
            }
            SlowLimit::Fixed(limit) => Some(limit),
        }
    }

    /// From when on a call in flight is overdue.
    fn overdue_limit(&self) -> Option<Seconds> {
        let p95 = self.baseline.p95();
        match (self.numbers.slow, self.mode) {
            (SlowLimit::Off, _) => None,
            (SlowLimit::Fixed(limit), Mode::Closed | Mode::Ramp) => Some(limit),
            (SlowLimit::Learned(multiple), Mode::Closed | Mode::Ramp) => {
                p95.map(|p95| (p95 * multiple).max(SLOW_FLOOR))
            }
            (SlowLimit::Fixed(_) | SlowLimit::Learned(_), Mode::Open) => {
                p95.map(|p95| (p95 * PROBE_MULTIPLE).max(PROBE_FLOOR))
            }
        }
    }

    /// The share of calls that is admitted.
    pub(crate) fn share(&self, now: Seconds) -> f64 {
        match self.mode {
            Mode::Closed => 1.0,
            Mode::Open => 0.0,
            Mode::Ramp => self.ramp.share(now),
        }
    }

    // ---- calls --------------------------------------------------------------------------------

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

    /// Takes note of the calls that were admitted and ended without the lock, where that is due.
    fn read_traffic(&mut self, now: Seconds) {
        let width = self.overdue_limit().map_or(UNKNOWN_WIDTH, |limit| limit / 8.0).max(NARROWEST);
        let is_deep = self.is_deep(now);
        let Some(Concurrent { traffic, schedule }) = &mut self.concurrent else { return };
        if self.mode != Mode::Closed || !traffic.is_due(now) {
            return;
        }
        let read = schedule.read(traffic);
        schedule.advance(traffic, now, width);
        self.arrivals.arrive(now, read.started);
        if is_deep {
            self.baseline.learn_good_in_doubt(now, read.good, self.arrivals.rate(now));
            // No latency is learned now, which would put the next reading off.
            traffic.learn_from(now + BETWEEN_SAMPLES);
        } else {
            self.baseline.learn_good(now, read.good, self.arrivals.rate(now));
        }
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
            traffic.set_slow_limit(self.slow_limit());
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

    fn forgive_throttles(&mut self) {
        self.throttles_in_a_row = 0;
        if self.mode == Mode::Closed {
            self.throttles_since_cut = 0;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one result")]
    fn record_closed(
        &mut self,
        call: Admitted,
        end: End,
        late: bool,
        judged: bool,
        took: Seconds,
        now: Seconds,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        let (wanted, good) = (self.numbers.break_even, end == End::Good && !late);
        let is_deep = self.is_deep(now);
        match call.unlocked {
            // The traffic has counted it; of its latency, a sample is learned.
            Some(_) if good => {
                if !is_deep {
                    self.learn_sample(now, took);
                }
            }
            Some(_) | None if is_deep => {
                self.baseline.learn_in_doubt(now, !good, self.arrivals.rate(now), wanted);
            }
            Some(_) => {
                let took = (end == End::Good).then_some(took);
                self.baseline.learn_bad(now, took, self.arrivals.rate(now), wanted);
            }
            None => {
                let took = (end == End::Good).then_some(took);
                self.baseline.learn(now, !good, took, wanted);
            }
        }
        // A healthy call in a healthy period writes no evidence.
        if judged || (good && !self.belief.is_in_doubt()) {
            return;
        }
        self.weigh(now, Results::one(good, late), dice, steps);
    }

    fn learn_sample(&mut self, now: Seconds, took: Seconds) {
        if let Some(Concurrent { traffic, .. }) =
            self.concurrent.as_ref().filter(|it| it.traffic.learns_at(now))
        {
            self.baseline.learn_latency(now, took);
            // Until enough is known, from every success.
            let next = if self.baseline.p95().is_some() { now + BETWEEN_SAMPLES } else { 0.0 };
            traffic.learn_from(next);
        }
    }

    /// Whether the doubt is too deep to learn from what happens.
    fn is_deep(&self, now: Seconds) -> bool {
        let down = self.belief.down();
        down > 0.0 && down * down >= self.onset(now)
    }

    /// Weighs results of closed that found the evidence locked.
    pub(crate) fn drain(
        &mut self,
        pending: Pending,
        now: Seconds,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        if pending.is_empty() || self.mode != Mode::Closed {
            return;
        }
        let epoch = self.epoch;
        self.tend(now, dice, steps);
        if self.epoch != epoch {
            return;
        }
        if pending.good > 0 {
            self.forgive_throttles();
        }
        for _ in 0..pending.bad {
            if self.is_deep(now) {
                let rate = self.arrivals.rate(now);
                self.baseline.learn_in_doubt(now, true, rate, self.numbers.break_even);
            } else {
                let rate = self.arrivals.rate(now);
                self.baseline.learn_bad(now, None, rate, self.numbers.break_even);
            }
        }
        let (mut bad, mut slow, mut good) = (pending.bad, pending.slow, pending.good);
        while self.mode == Mode::Closed && (bad > 0 || (good > 0 && self.belief.is_in_doubt())) {
            let part = |count: &mut u64| {
                let some = (*count).min(WEIGHED_TOGETHER);
                *count -= some;
                some as f64
            };
            let results = Results { bad: part(&mut bad), slow: part(&mut slow), good: part(&mut good) };
            self.weigh(now, Results { slow: results.slow.min(results.bad), ..results }, dice, steps);
        }
    }

    fn record_ramp(
        &mut self,
        good: bool,
        late: bool,
        now: Seconds,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        self.ramp.note(good);
        if !good || self.belief.is_in_doubt() {
            self.weigh(now, Results::one(good, late), dice, steps);
        }
        let sure = self.belief.down() < DOWN_TO_CLOSE;
        if self.mode == Mode::Ramp && self.ramp.share(now) >= 1.0 && self.ramp.good >= GOOD_TO_CLOSE && sure {
            self.mode = Mode::Closed;
            self.incident.closed_at = Some(now);
            self.tally.at = now;
            self.baseline.resume(now);
            self.begin_closed(now);
            steps.push(Step::Closed);
        }
    }

    // ---- evidence in Closed and in the ramp ---------------------------------------------------

    fn observe(&mut self, now: Seconds, bad: f64, good: f64) {
        let (prior, age) = (self.prior(now), self.age_of_a_new_doubt(now));
        self.belief.observe(&prior, bad, good, age, now);
    }

    /// An incident that returns soon is as old as it was, less the time for which it was gone.
    fn age_of_a_new_doubt(&self, now: Seconds) -> Seconds {
        match self.mode {
            Mode::Ramp => self.incident.age,
            Mode::Closed | Mode::Open => {
                let gone = self.incident.closed_at.map_or(f64::INFINITY, |closed| now - closed);
                (self.incident.age - gone).max(0.0)
            }
        }
    }

    fn weigh(&mut self, now: Seconds, results: Results, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        self.tally.note(&results, self.arrivals.rate(now), now);
        self.observe(now, results.bad, results.good);
        let prior = self.prior(now);
        if self.watch == Watch::Open && self.belief.is_back(&prior) {
            self.watch = Watch::Closed;
        }
        let in_ramp = self.mode == Mode::Ramp;
        if !in_ramp && self.belief.is_acquitted(&prior) {
            if std::mem::take(&mut self.degraded) {
                steps.push(Step::Degraded { share: prior.normal });
            }
            return self.acquit();
        }
        // In a ramp failures come back fast and successes slowly: one typical latency is waited for.
        let ripe = !in_ramp || now - self.ramp.evidence_from >= self.baseline.typical();
        if !ripe || self.belief.worth(&prior) >= TRIP_WORTH {
            if !in_ramp && !self.degraded && self.belief.down() > DEGRADED {
                self.degraded = true;
                steps.push(Step::Degraded { share: self.belief.share_if_down(&prior) });
            }
            return;
        }
        let mostly_slow = self.tally.slow >= 0.5 * self.tally.bad;
        if in_ramp && mostly_slow && self.ramp.good_since_cut > 0 {
            return self.cut(now, WhyRamp::Slow, dice, steps);
        }
        let findings = self.findings(&prior);
        self.trip(now, Opening::Evidence(findings), dice, steps);
    }

    fn acquit(&mut self) {
        self.belief = Belief::healthy();
        self.tally.clear();
    }

    fn findings(&self, prior: &Prior) -> Findings {
        Findings {
            sure: self.belief.sick(prior),
            bad: self.tally.bad,
            calls: self.tally.bad + self.tally.good,
            slow: self.tally.slow,
            normal: prior.normal,
            worth: self.belief.worth(prior),
            relapse: self.mode == Mode::Ramp,
        }
    }

    // ---- calls in flight ----------------------------------------------------------------------

    /// Whatever has been in flight for too long is bad now: each call once, and before it ends.
    fn judge_overdue(&mut self, now: Seconds, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        let Some(limit) = self.overdue_limit() else { return };
        while let Some(overdue) = self.take_overdue(now, limit) {
            let too_old = overdue.until < self.ramp.evidence_from;
            if overdue.calls == 0 || too_old || self.is_old_news(now, overdue.until) {
                continue;
            }
            let epoch = self.epoch;
            for _ in 0..overdue.calls {
                match self.mode {
                    Mode::Closed => self.weigh(now, Results::one(false, true), dice, steps),
                    Mode::Ramp => self.record_ramp(false, true, now, dice, steps),
                    Mode::Open => self.probed(now, 1.0, 0.0, dice, steps),
                }
                if self.epoch != epoch {
                    return;
                }
            }
        }
    }

    fn take_overdue(&mut self, now: Seconds, limit: Seconds) -> Option<Overdue> {
        let locked = self.flight.take_overdue(now, limit);
        if locked.is_some() || self.mode != Mode::Closed {
            return locked;
        }
        let Concurrent { traffic, schedule } = self.concurrent.as_mut()?;
        schedule.take_overdue(traffic, now, limit)
    }

    fn is_old_news(&self, now: Seconds, until: Seconds) -> bool {
        let ripe_after = self.baseline.ripe_after();
        let younger = match (self.mode, &self.concurrent) {
            (Mode::Closed, Some(Concurrent { traffic, schedule })) => {
                schedule.youngest(traffic, now, until, ripe_after)
            }
            (Mode::Closed | Mode::Open | Mode::Ramp, _) => (0, 0),
        };
        let break_even = self.baseline.break_even(self.numbers.break_even);
        is_old_news(self.flight.youngest(now, until, ripe_after, younger), break_even)
    }

    // ---- Open ---------------------------------------------------------------------------------

    fn trip(&mut self, now: Seconds, why: Opening, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        match self.watch {
            Watch::No => {}
            Watch::Closed => {
                self.watch = Watch::Open;
                return steps.push(Step::Opened(why));
            }
            Watch::Open => return,
        }
        let in_ramp = self.mode == Mode::Ramp;
        let since_closed = self.incident.closed_at.map_or(f64::INFINITY, |closed| now - closed);
        if in_ramp || since_closed < (2.0 * self.ramp.length).max(1.0) {
            // A ramp that began well, or a close that did not last: load is the cause, and the next ramp is gentler.
            if !in_ramp || self.ramp.good_beginning >= GOOD_BEGINNING {
                self.incident.relapses = (self.incident.relapses + 1).min(MOST_RELAPSES);
            }
        } else {
            self.incident.relapses = 0;
            self.incident.tripped_at = now;
        }
        self.open(now, why, dice, steps);
    }

    fn open(&mut self, now: Seconds, why: Opening, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        self.mode = Mode::Open;
        self.begin_epoch(now);
        if !self.belief.is_in_doubt() {
            // Throttled: nothing is known about failures.
            self.belief = Belief::unknown(now, self.age_of_a_new_doubt(now));
        }
        self.belief.begin_at(now);
        self.tally.clear();
        self.waiting.hold = None;
        self.begin_gap(now, dice);
        steps.push(Step::Opened(why));
    }

    fn begin_epoch(&mut self, now: Seconds) {
        self.epoch += 1;
        self.ramp.evidence_from = now;
        self.flight = Flight::new(now);
        self.throttles_in_a_row = 0;
        self.throttles_since_cut = 0;
    }

    /// A probe is sent, and the next one is waited for.
    fn begin_gap(&mut self, now: Seconds, dice: &mut impl Dice) {
        let jitter = 0.75 + 0.5 * dice.roll();
        let latest = now + self.numbers.max_probe_gap * jitter;
        self.waiting = Waiting { lost: 0.0, jitter, next: now, latest, ..self.waiting };
    }

    fn wait(&mut self, now: Seconds) {
        let (elapsed, before) = (self.belief.since_advance(now), self.belief.up());
        self.belief.advance(now);
        self.waiting.lost += lost_in(elapsed, self.arrivals.rate(now), before, self.belief.up());
    }

    /// The price of a probe, in good calls.
    fn price(&self, worth: f64) -> f64 {
        (-worth).max(LEAST_PRICE)
            * (1.0 + PRICE_IN_FLIGHT * f64::from(self.flight.out()))
            * self.waiting.jitter
    }

    fn is_probe_due(&mut self, now: Seconds) -> bool {
        self.wait(now);
        self.is_due(now, self.waiting.lost, self.belief.worth(&self.prior(now)))
    }

    fn is_due(&self, now: Seconds, lost: f64, worth: f64) -> bool {
        now >= self.waiting.latest || (now >= self.waiting.next && lost >= self.price(worth))
    }

    fn probed(&mut self, now: Seconds, bad: f64, good: f64, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        self.wait(now);
        self.observe(now, bad, good);
        if self.belief.is_back(&self.prior(now)) {
            self.begin_ramp(now, WhyRamp::ProbesPassed, dice, steps);
        }
    }

    // ---- the ramp -----------------------------------------------------------------------------

    fn begin_ramp(&mut self, now: Seconds, why: WhyRamp, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        self.incident.age = self.belief.age(now);
        self.mode = Mode::Ramp;
        self.begin_epoch(now);
        let full = why == WhyRamp::HoldOver;
        if full {
            self.waiting.hold = None;
            self.acquit();
        }
        self.tally.at = now;
        let first = (RAMP_PER_INCIDENT * (now - self.incident.tripped_at)).min(RAMP_LONGEST_FIRST);
        let gentler = 2.0_f64.powi(self.incident.relapses);
        let length = (first * gentler).min(RAMP_LONGEST);
        let length = if full || length < RAMP_LEAST { 0.0 } else { length };
        self.ramp = Ramp {
            share: RAMP_FIRST_SHARE / gentler,
            since: now,
            length,
            evidence_from: now,
            good: 0,
            good_since_cut: 0,
            good_beginning: 0,
            began_well: true,
            cuts: 0,
            credit: dice.roll(),
        };
        steps.push(Step::Ramps { share: self.ramp.share(now), why });
    }

    /// The dependency is alive, but cannot take this much.
    fn cut(&mut self, now: Seconds, why: WhyRamp, dice: &mut impl Dice, steps: &mut Vec<Step>) {
        let share = self.share(now) * 0.5;
        if share < LEAST_SHARE {
            return self.trip(now, Opening::CutAway, dice, steps);
        }
        self.ramp.share = share;
        self.ramp.cuts += 1;
        self.ramp.since = now;
        self.ramp.length = (2.0 * self.ramp.length).clamp(RAMP_AFTER_CUT, RAMP_LONGEST);
        self.ramp.evidence_from = now;
        self.ramp.good_since_cut = 0;
        self.acquit();
        self.throttles_since_cut = 0;
        steps.push(Step::Ramps { share, why });
    }

    /// A throttled call; returns whether there is nothing more to learn from it.
    fn throttled(
        &mut self,
        call: Admitted,
        hint: Option<Seconds>,
        now: Seconds,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) -> bool {
        if self.watch != Watch::No {
            return true;
        }
        self.throttles_in_a_row += 1;
        self.throttles_since_cut += u32::from(call.start >= self.ramp.evidence_from);
        let obeyed = self.throttles_in_a_row >= THROTTLES_TO_OBEY || self.mode == Mode::Open;
        if let Some(hint) = hint.filter(|_| obeyed) {
            if self.mode != Mode::Open {
                self.incident.tripped_at = now;
                self.incident.relapses = 0;
                self.open(now, Opening::Asked(hint), dice, steps);
            }
            let hold = now + hint.min(self.numbers.hint_max) * (1.0 + 0.05 * dice.roll());
            self.waiting = Waiting { hold: Some(hold), next: hold, latest: hold, ..self.waiting };
            return true;
        }
        let in_ramp = match self.mode {
            Mode::Open => return false,
            Mode::Closed => false,
            Mode::Ramp => true,
        };
        let ripe = !in_ramp || now - self.ramp.evidence_from >= self.baseline.typical();
        if self.throttles_since_cut >= THROTTLES_TO_CUT && ripe {
            if !in_ramp {
                self.incident.tripped_at = now;
                self.incident.relapses = 0;
                self.mode = Mode::Ramp;
                // A ramp begins here: nothing of the one before is part of it.
                let (length, good, cuts) = (0.0, 0, 0);
                self.ramp = Ramp { length, good, good_beginning: 0, began_well: true, cuts, ..self.ramp };
            }
            self.cut(now, WhyRamp::Throttled, dice, steps);
        }
        true
    }
}

impl Ramp {
    fn share(&self, now: Seconds) -> f64 {
        if self.length < 1e-3 {
            1.0
        } else {
            (self.share + (now - self.since).max(0.0) / self.length).min(1.0)
        }
    }

    fn attempt(&mut self, now: Seconds) -> bool {
        self.credit += self.share(now);
        let admitted = self.credit >= 1.0;
        if admitted {
            self.credit -= 1.0;
        }
        admitted
    }

    fn note(&mut self, good: bool) {
        if good {
            self.good += 1;
            self.good_since_cut += 1;
            self.good_beginning += u32::from(self.began_well);
        } else {
            self.began_well = false;
        }
    }
}

impl Results {
    fn one(good: bool, late: bool) -> Results {
        Results { bad: share(!good), slow: share(late && !good), good: share(good) }
    }
}

impl Tally {
    fn note(&mut self, results: &Results, rate: f64, now: Seconds) {
        let memory = (20.0 / rate).clamp(60.0, 900.0);
        let calls = results.bad + results.good;
        let per_call = if calls == 1.0 { TALLY_PER_CALL } else { TALLY_PER_CALL.powf(calls) };
        let stays = fading((now - self.at).max(0.0) / memory) * per_call;
        self.at = now;
        self.bad = self.bad * stays + results.bad;
        self.good = self.good * stays + results.good;
        self.slow = self.slow * stays + results.slow;
    }

    fn clear(&mut self) {
        *self = Tally { at: self.at, ..Tally::default() };
    }
}

/// The good calls that were lost in a time of which the probability of being up is known at both ends.
fn lost_in(elapsed: Seconds, rate: f64, up_before: f64, up_after: f64) -> f64 {
    rate * elapsed * 0.5 * (up_before + up_after)
}

/// One call of one, or none.
fn share(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}
