//! The design of the adaptive breaker as a plain state machine: no atomics, and all time and chance passed in. The
//! library's breaker is judged by it.
//!
//! As a policy it learns from each call alone, as the design does. With [`Sampled`] calls it learns when the library
//! does (rule A12), so that each of its decisions can be compared.

mod baseline;
mod belief;
mod flight;
mod sampled;

pub use baseline::{Arrivals, Baseline, Latencies};
pub use belief::{Belief, Prior};
pub use flight::Flight;
pub use sampled::{Left, Place, Sampled};

use crate::chance::split_mix;
use crate::policy::{Answer, Outcome, Policy, Seconds};

/// What may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// The share of bad calls above which a call is not worth making.
    pub break_even: f64,
    /// The time between false trips.
    pub false_trip_interval: Seconds,
    /// From when on an answer is slow.
    pub slow: SlowLimit,
    /// The time between probes.
    pub max_probe_gap: Seconds,
    /// The longest hint that is obeyed.
    pub hint_max: Seconds,
}

/// From when on an answer is slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlowLimit {
    /// No answer is.
    Off,
    /// From this multiple of the 95 % quantile.
    Learned(f64),
    /// From this time.
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

/// Below this worth it opens.
pub const TRIP_WORTH: f64 = -0.15;
/// No slow limit is learned below this.
const SLOW_FLOOR: Seconds = 0.7;

/// The decision about calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each is admitted.
    Closed,
    /// Probes are.
    Open,
    /// A growing share is.
    Ramp,
}

/// A change, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// It opens, by evidence or because of throttled calls.
    Opened {
        /// By evidence.
        evidence: bool,
    },
    /// A ramp begins after probes or a hold, or is cut.
    Ramps(f64, RampReason),
    /// It closes.
    Closed,
}

/// Why a share is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RampReason {
    /// The probes passed.
    ProbesPassed,
    /// The time is over for which a server asked.
    HoldOver,
    /// The share is cut: calls are slow.
    Slow,
    /// The share is cut: calls are throttled.
    Throttled,
}

/// The end of a call.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// When it was admitted.
    pub start: Seconds,
    /// How long it took.
    pub took: Seconds,
    /// How it ended.
    pub outcome: Outcome,
    /// The hint of a throttled call.
    pub hint: Option<Seconds>,
    /// Whether it counts as slow.
    pub slow: bool,
    /// Of a call that was sampled.
    pub left: Option<Left>,
    /// Whether its duration may be learned: the clock has not stepped back at its admission.
    pub precise: bool,
}

impl End {
    fn is_good(&self) -> bool {
        self.outcome == Outcome::Success && !self.slow
    }
}

/// Whether it decides, or only watches in closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    No,
    Closed,
    Open,
}

/// An adaptive breaker as the design describes it.
#[derive(Clone, Debug)]
pub struct Reference {
    numbers: Numbers,
    dice: u64,
    mode: Mode,
    epoch: u64,
    begun: Option<Seconds>,
    arrivals: Arrivals,
    baseline: Baseline,
    latencies: Latencies,
    learned_at: Seconds,
    /// When a latency was learned.
    sampled_at: Seconds,
    belief: Belief,
    flight: Flight,
    /// Bad calls, the slow ones among them, and when they were counted: fading.
    tally: (f64, f64, Seconds),
    tripped_at: Seconds,
    closed_at: Option<Seconds>,
    /// The age of the last incident when it ended.
    ended_at_age: Seconds,
    relapses: i32,
    lost: f64,
    jitter: f64,
    next: Seconds,
    latest: Seconds,
    hold: Option<Seconds>,
    ramp: Ramp,
    throttles_in_a_row: u32,
    throttles_since_cut: u32,
    sampled: Option<Sampled>,
    watch: Watch,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Ramp {
    share: f64,
    since: Seconds,
    length: Seconds,
    evidence_from: Seconds,
    good: u32,
    good_since_cut: u32,
    /// Good calls before the first bad one.
    beginning: u32,
    all_good: bool,
    cuts: u32,
    credit: f64,
}

impl Ramp {
    fn share(&self, now: Seconds) -> f64 {
        if self.length < 1e-3 {
            1.0
        } else {
            (self.share + (now - self.since).max(0.0) / self.length).min(1.0)
        }
    }
}

impl Reference {
    /// Closed, with nothing learned.
    pub fn new(numbers: Numbers, seed: u64) -> Reference {
        let mut reference = Reference {
            numbers,
            dice: seed,
            mode: Mode::Closed,
            epoch: 0,
            begun: None,
            arrivals: Arrivals::new(0.0),
            baseline: Baseline::new(),
            latencies: Latencies::new(),
            learned_at: 0.0,
            sampled_at: 0.0,
            belief: Belief::healthy(),
            flight: Flight::new(-1.0),
            tally: (0.0, 0.0, 0.0),
            tripped_at: 0.0,
            closed_at: None,
            ended_at_age: 0.0,
            relapses: 0,
            lost: 0.0,
            jitter: 1.0,
            next: 0.0,
            latest: 0.0,
            hold: None,
            ramp: Ramp {
                share: 1.0,
                since: 0.0,
                length: 0.0,
                evidence_from: 0.0,
                good: 0,
                good_since_cut: 0,
                beginning: 0,
                all_good: true,
                cuts: 0,
                credit: 0.0,
            },
            throttles_in_a_row: 0,
            throttles_since_cut: 0,
            sampled: None,
            watch: Watch::No,
            steps: Vec::new(),
        };
        reference.ramp.credit = reference.roll();
        reference
    }

    /// The same with calls that are sampled from `now` on.
    pub fn sampled(numbers: Numbers, seed: u64, now: Seconds) -> Reference {
        let mut reference = Reference::new(numbers, seed);
        reference.sampled = Some(Sampled::new(now, 0));
        reference
    }

    /// With other numbers and nothing learned; calls in flight are in no bucket of it.
    pub fn anew(&self, numbers: Numbers, seed: u64, now: Seconds) -> Reference {
        let mut anew = Reference::new(numbers, seed);
        anew.sampled = self.sampled.as_ref().map(|sampled| sampled.next_visit(now));
        anew
    }

    fn roll(&mut self) -> f64 {
        (split_mix(&mut self.dice) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The numbers against which the belief is weighed.
    pub fn prior(&self, now: Seconds) -> Prior {
        let soon = self.closed_at.map_or(f64::INFINITY, |closed| 300.0 * ((now - closed).max(0.0) + 3.0));
        let interval = self.numbers.false_trip_interval.min(soon);
        Prior {
            normal: self.baseline.share(),
            break_even: self.baseline.break_even(self.numbers.break_even),
            onset: (1.0 / (self.arrivals.rate(now) * interval)).clamp(1e-9, 1e-2),
        }
    }

    /// The time from which an answer is slow.
    pub fn slow_limit(&self) -> Option<Seconds> {
        match self.numbers.slow {
            SlowLimit::Off => None,
            SlowLimit::Fixed(limit) => Some(limit),
            SlowLimit::Learned(multiple) => {
                let is_warm = self.begun.is_some_and(|begun| self.learned_at - (begun - 0.05) >= 60.0);
                let p95 = self.latencies.p95().filter(|_| is_warm)?;
                Some((p95 * multiple).max(SLOW_FLOOR))
            }
        }
    }

    fn overdue_limit(&self) -> Option<Seconds> {
        match (self.numbers.slow, self.mode) {
            (SlowLimit::Off, _) => None,
            (_, Mode::Open) => Some((1.5 * self.latencies.p95()?).max(0.02)),
            (SlowLimit::Fixed(limit), Mode::Closed | Mode::Ramp) => Some(limit),
            (SlowLimit::Learned(multiple), Mode::Closed | Mode::Ramp) => {
                Some((self.latencies.p95()? * multiple).max(SLOW_FLOOR))
            }
        }
    }

    /// The age of a doubt that begins now: that of the incident before, less the time since its end.
    fn age_of_a_new_doubt(&self, now: Seconds) -> Seconds {
        match (self.mode, self.closed_at) {
            (Mode::Ramp, _) => self.ended_at_age,
            (_, None) => 0.0,
            (_, Some(closed)) => (self.ended_at_age - (now - closed).max(0.0)).max(0.0),
        }
    }

    fn observe(&mut self, bad: f64, good: f64, now: Seconds) {
        let (prior, age) = (self.prior(now), self.age_of_a_new_doubt(now));
        self.belief.observe(&prior, bad, good, age, now);
    }

    // ---- closed and ramp ------------------------------------------------------------------------

    fn weigh(&mut self, bad: bool, slow: bool, now: Seconds) {
        let memory = (20.0 / self.arrivals.rate(now)).clamp(60.0, 900.0);
        let stays = (-(now - self.tally.2) / memory).exp() * 31.0 / 32.0;
        let one = |holds: bool| f64::from(u8::from(holds));
        self.tally = (self.tally.0 * stays + one(bad), self.tally.1 * stays + one(bad && slow), now);
        self.observe(one(bad), one(!bad), now);
        let prior = self.prior(now);
        if self.watch == Watch::Open && self.is_back(&prior) {
            self.watch = Watch::Closed;
        }
        let in_ramp = self.mode == Mode::Ramp;
        if !in_ramp && self.belief.down() <= 2.0 * prior.onset {
            return self.acquit();
        }
        let ripe = !in_ramp || now - self.ramp.evidence_from >= self.latencies.typical();
        if self.belief.worth(&prior) >= TRIP_WORTH || !ripe {
            return;
        }
        if in_ramp && self.tally.1 >= 0.5 * self.tally.0 && self.ramp.good_since_cut > 0 {
            self.cut(RampReason::Slow, now);
        } else {
            self.trip(true, now);
        }
    }

    fn is_back(&self, prior: &Prior) -> bool {
        self.belief.worth(prior) > 0.0 && self.belief.is_good(prior) > 0.5
    }

    fn acquit(&mut self) {
        self.belief = Belief::healthy();
        (self.tally.0, self.tally.1) = (0.0, 0.0);
    }

    fn weigh_in_ramp(&mut self, bad: bool, slow: bool, now: Seconds) {
        if bad {
            self.ramp.all_good = false;
        } else {
            self.ramp.good += 1;
            self.ramp.good_since_cut += 1;
            self.ramp.beginning += u32::from(self.ramp.all_good);
        }
        if bad || self.belief.is_in_doubt() {
            self.weigh(bad, slow, now);
        }
        let closes = self.mode == Mode::Ramp && self.ramp.share(now) >= 1.0 && self.ramp.good >= 4;
        if closes && self.belief.down() < 0.2 {
            self.mode = Mode::Closed;
            self.closed_at = Some(now);
            self.resume(now);
            self.tally.2 = now;
            self.steps.push(Step::Closed);
        }
    }

    /// A step back of the clock is no time: what was learned is as old as before.
    fn reach(&mut self, now: Seconds) {
        let back = (self.learned_at - now).max(0.0);
        self.begun = self.begun.map(|begun| begun - back);
        self.learned_at = now;
    }

    /// Time before `now` was no normal operation.
    fn resume(&mut self, now: Seconds) {
        self.reach(now);
        self.sampled_at = now;
        if let Some(sampled) = &mut self.sampled {
            *sampled = sampled.next_visit(now);
        }
    }

    /// Learns from a call in closed.
    fn learn(&mut self, end: &End, now: Seconds) {
        let (bad, chosen) = (!end.is_good(), self.numbers.break_even);
        let took = (end.outcome == Outcome::Success).then_some(end.took);
        let is_sampled = end.left.is_some();
        if is_sampled && !bad {
            // It was counted with others; the latency of some is learned.
            if end.precise
                && !self.is_deep(now)
                && self.sampled.as_ref().is_some_and(|sampled| sampled.learns(now))
            {
                self.learn_latency(end.took, now);
                let knows = self.latencies.p95().is_some();
                self.sampled
                    .iter_mut()
                    .for_each(|sampled| sampled.learn_from(if knows { now + 0.05 } else { 0.0 }));
            }
            return;
        }
        let elapsed = now - self.learned_at;
        self.reach(now);
        if self.is_deep(now) {
            let step = self.step_at_rate(now);
            return self.baseline.step(bad, step, chosen);
        }
        if is_sampled {
            let step = self.step_at_rate(now);
            self.baseline.learn_by(bad, step, chosen);
        } else {
            self.baseline.learn(bad, elapsed, chosen);
        }
        if let Some(took) = took {
            self.learn_latency(took, now);
        }
    }

    fn learn_latency(&mut self, took: Seconds, now: Seconds) {
        self.latencies.learn(took, now - self.sampled_at);
        self.sampled_at = now;
    }

    fn step_at_rate(&self, now: Seconds) -> f64 {
        (1.0 / (300.0 * self.arrivals.rate(now))).min(1e-3)
    }

    /// Whether the doubt is too deep to learn from what happens.
    fn is_deep(&self, now: Seconds) -> bool {
        self.belief.down() > 0.0 && self.belief.down() >= self.prior(now).onset.sqrt()
    }

    // ---- open -----------------------------------------------------------------------------------

    fn trip(&mut self, evidence: bool, now: Seconds) {
        match self.watch {
            Watch::No => {}
            Watch::Open => return,
            Watch::Closed => {
                self.watch = Watch::Open;
                return self.steps.push(Step::Opened { evidence });
            }
        }
        let in_ramp = self.mode == Mode::Ramp;
        let since_closed = self.closed_at.map_or(f64::INFINITY, |closed| now - closed);
        if in_ramp || since_closed < (2.0 * self.ramp.length).max(1.0) {
            if !in_ramp || self.ramp.beginning >= 3 {
                self.relapses = (self.relapses + 1).min(4);
            }
        } else {
            (self.relapses, self.tripped_at) = (0, now);
        }
        self.open(evidence, now);
    }

    fn open(&mut self, evidence: bool, now: Seconds) {
        self.mode = Mode::Open;
        self.begin_epoch(now);
        if !self.belief.is_in_doubt() {
            self.belief = Belief::unknown(now, self.age_of_a_new_doubt(now));
        }
        (self.tally.0, self.tally.1) = (0.0, 0.0);
        self.belief.begin_at(now);
        self.hold = None;
        self.begin_gap(now);
        self.steps.push(Step::Opened { evidence });
    }

    fn begin_epoch(&mut self, now: Seconds) {
        self.epoch += 1;
        self.ramp.evidence_from = now;
        self.flight = Flight::new(now);
        (self.throttles_in_a_row, self.throttles_since_cut) = (0, 0);
    }

    fn begin_gap(&mut self, now: Seconds) {
        self.lost = 0.0;
        self.jitter = 0.75 + 0.5 * self.roll();
        (self.next, self.latest) = (now, now + self.numbers.max_probe_gap * self.jitter);
    }

    fn wait(&mut self, now: Seconds) {
        let (elapsed, before) = (self.belief.since(now), self.belief.up());
        self.belief.advance(now);
        self.lost += self.arrivals.rate(now) * elapsed * 0.5 * (before + self.belief.up());
    }

    fn is_probe_due(&mut self, now: Seconds) -> bool {
        self.wait(now);
        let worth = self.belief.worth(&self.prior(now));
        let price = (-worth).max(0.05) * (1.0 + 0.5 * f64::from(self.flight.out()));
        now >= self.latest || (now >= self.next && self.lost >= price * self.jitter)
    }

    fn probed(&mut self, bad: f64, good: f64, now: Seconds) {
        self.wait(now);
        self.observe(bad, good, now);
        if self.is_back(&self.prior(now)) {
            self.begin_ramp(false, now);
        }
    }

    // ---- ramp -----------------------------------------------------------------------------------

    fn begin_ramp(&mut self, full: bool, now: Seconds) {
        self.ended_at_age = self.belief.age(now);
        self.mode = Mode::Ramp;
        self.begin_epoch(now);
        if full {
            self.hold = None;
            self.acquit();
        }
        self.tally.2 = now;
        let gentler = 2.0_f64.powi(self.relapses);
        let length = ((0.02 * (now - self.tripped_at)).min(5.0) * gentler).min(20.0);
        self.ramp = Ramp {
            share: 0.2 / gentler,
            since: now,
            length: if full || length < 0.25 { 0.0 } else { length },
            evidence_from: now,
            good: 0,
            good_since_cut: 0,
            beginning: 0,
            all_good: true,
            cuts: 0,
            credit: self.roll(),
        };
        let reason = if full { RampReason::HoldOver } else { RampReason::ProbesPassed };
        self.steps.push(Step::Ramps(self.ramp.share(now), reason));
    }

    fn cut(&mut self, reason: RampReason, now: Seconds) {
        let share = self.ramp.share(now) * 0.5;
        if share < 0.02 {
            return self.trip(false, now);
        }
        self.ramp = Ramp {
            share,
            since: now,
            length: (2.0 * self.ramp.length).clamp(2.0, 20.0),
            evidence_from: now,
            good_since_cut: 0,
            cuts: self.ramp.cuts + 1,
            ..self.ramp
        };
        self.throttles_since_cut = 0;
        self.acquit();
        self.steps.push(Step::Ramps(share, reason));
    }

    /// Returns whether a throttled call is no further evidence.
    fn throttled(&mut self, start: Seconds, hint: Option<Seconds>, now: Seconds) -> bool {
        if self.watch != Watch::No {
            return true;
        }
        self.throttles_in_a_row += 1;
        self.throttles_since_cut += u32::from(start >= self.ramp.evidence_from);
        let obeyed = self.throttles_in_a_row >= 4 || self.mode == Mode::Open;
        if let Some(hint) = hint.filter(|_| obeyed) {
            if self.mode != Mode::Open {
                (self.tripped_at, self.relapses) = (now, 0);
                self.open(false, now);
            }
            let hold = now + hint.min(self.numbers.hint_max) * (1.0 + 0.05 * self.roll());
            (self.hold, self.next, self.latest) = (Some(hold), hold, hold);
            return true;
        }
        if self.mode == Mode::Open {
            return false;
        }
        let in_ramp = self.mode == Mode::Ramp;
        let ripe = !in_ramp || now - self.ramp.evidence_from >= self.latencies.typical();
        if self.throttles_since_cut >= 2 && ripe {
            if !in_ramp {
                self.mode = Mode::Ramp;
                (self.tripped_at, self.relapses) = (now, 0);
                self.ramp = Ramp { length: 0.0, good: 0, beginning: 0, all_good: true, cuts: 0, ..self.ramp };
            }
            self.cut(RampReason::Throttled, now);
        }
        true
    }

    // ---- calls in flight ------------------------------------------------------------------------

    fn judge_overdue(&mut self, now: Seconds) {
        let Some(limit) = self.overdue_limit() else { return };
        while let Some((calls, until)) = self.take_overdue(now, limit) {
            if calls == 0 || until < self.ramp.evidence_from || self.is_old_news(until, now) {
                continue;
            }
            let epoch = self.epoch;
            for _ in 0..calls {
                match self.mode {
                    Mode::Closed => self.weigh(true, true, now),
                    Mode::Ramp => self.weigh_in_ramp(true, true, now),
                    Mode::Open => self.probed(1.0, 0.0, now),
                }
                if self.epoch != epoch {
                    return;
                }
            }
        }
    }

    fn take_overdue(&mut self, now: Seconds, limit: Seconds) -> Option<(u32, Seconds)> {
        let taken = self.flight.take_overdue(now, limit);
        if taken.is_some() || self.mode != Mode::Closed {
            return taken;
        }
        self.sampled.as_mut()?.take_overdue(now, limit)
    }

    fn is_old_news(&self, until: Seconds, now: Seconds) -> bool {
        let ripe_after = self.latencies.ripe_after();
        let younger = match (&self.sampled, self.mode) {
            (Some(sampled), Mode::Closed) => sampled.youngest(until, ripe_after, now),
            (_, _) => (0, 0),
        };
        let (started, good) = self.flight.youngest(until, ripe_after, now, younger);
        let break_even = self.baseline.break_even(self.numbers.break_even);
        started >= 4 && f64::from(good) > (1.0 - break_even) * f64::from(started)
    }
}

impl Reference {
    // ---- calls ----------------------------------------------------------------------------------

    fn begin(&mut self, now: Seconds) {
        if self.begun.is_none() {
            self.begun = Some(now);
            self.arrivals = Arrivals::new(now);
            (self.learned_at, self.sampled_at, self.tally.2) = (now, now, now);
        }
    }

    /// Makes the steps that are due without a call.
    pub fn tend(&mut self, now: Seconds) {
        self.begin(now);
        self.read_sampled(now);
        self.judge_overdue(now);
    }

    /// Learns from the calls that were counted since the last time.
    fn read_sampled(&mut self, now: Seconds) {
        let width = self.overdue_limit().map_or(0.5, |limit| limit / 8.0).max(0.001);
        let is_deep = self.is_deep(now);
        let Some(sampled) = self.sampled.as_mut().filter(|sampled| sampled.is_due(now)) else { return };
        if self.mode != Mode::Closed {
            return;
        }
        let (started, good) = sampled.read();
        sampled.advance(now, width);
        if is_deep {
            sampled.learn_from(now + 0.05);
        }
        self.arrivals.arrive(now, f64::from(started));
        let step = self.step_at_rate(now);
        self.reach(now);
        if is_deep {
            self.baseline.forget(good, step);
        } else {
            self.baseline.learn_good(good, step);
        }
    }

    /// Publishes the limits to the calls that are only counted.
    pub fn publish(&mut self) {
        let (slow, overdue) = (self.slow_limit(), self.overdue_limit());
        if let Some(sampled) = self.sampled.as_mut().filter(|_| self.mode == Mode::Closed) {
            sampled.publish(slow, overdue);
        }
    }

    /// Decides about a call that arrives.
    pub fn attempt(&mut self, now: Seconds) -> bool {
        self.begin(now);
        if self.sampled.is_none() {
            self.arrivals.arrive(now, 1.0);
        }
        self.tend(now);
        if self.sampled.is_some() {
            self.arrivals.arrive(now, 1.0);
        }
        if let (Mode::Open, Some(hold)) = (self.mode, self.hold) {
            if now < hold {
                return false;
            }
            self.begin_ramp(true, now);
        }
        match self.mode {
            Mode::Closed => {}
            Mode::Open => {
                if !self.is_probe_due(now) {
                    return false;
                }
                self.begin_gap(now);
            }
            Mode::Ramp => {
                self.ramp.credit += self.ramp.share(now);
                if self.ramp.credit < 1.0 {
                    return false;
                }
                self.ramp.credit -= 1.0;
            }
        }
        if self.mode == Mode::Closed && self.sampled.is_some() {
            self.read_sampled(now);
        } else {
            self.flight.enter(now, self.overdue_limit());
        }
        true
    }

    /// A call that was not only counted is given up.
    pub fn cancel(&mut self, start: Seconds) {
        self.flight.leave(start, false);
    }

    /// Learns the end of a call of this epoch.
    pub fn record(&mut self, end: &End, now: Seconds) {
        let good = end.is_good();
        let was_judged = match end.left {
            Some(left) => left == Left::Judged,
            None => {
                let judged = self.flight.is_judged(end.start);
                self.flight.leave(end.start, good);
                judged
            }
        };
        let epoch = self.epoch;
        self.tend(now);
        if self.epoch != epoch {
            return;
        }
        let judged = was_judged || (end.slow && self.is_old_news(end.start, now));
        let slow_success = end.outcome == Outcome::Success && end.slow;
        if slow_success && (self.mode == Mode::Open || (self.mode == Mode::Ramp && self.ramp.cuts >= 2)) {
            self.latencies.accept(end.took, now - self.learned_at);
            self.reach(now);
            self.sampled_at = now;
        }
        if end.outcome == Outcome::Success {
            self.throttles_in_a_row = 0;
            if self.mode == Mode::Closed {
                self.throttles_since_cut = 0;
            }
        }
        if end.outcome == Outcome::Throttled && self.throttled(end.start, end.hint, now) {
            return;
        }
        match self.mode {
            Mode::Closed => {
                self.learn(end, now);
                if !judged && (!good || self.belief.is_in_doubt()) {
                    self.weigh(!good, end.slow && !good, now);
                }
            }
            // It was judged, and answers in time after all: the verdict is taken back.
            Mode::Open if was_judged && good => self.probed(-1.0, 1.0, now),
            Mode::Open if judged => {}
            Mode::Open if good => self.probed(0.0, 1.0, now),
            Mode::Open => self.probed(1.0, 0.0, now),
            Mode::Ramp if judged || end.start < self.ramp.evidence_from => {}
            Mode::Ramp => self.weigh_in_ramp(!good, end.slow && !good, now),
        }
    }

    // ---- controls, and the state ----------------------------------------------------------------

    /// Takes the changes since the last time.
    pub fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// The calls that are only counted.
    pub fn calls(&mut self) -> Option<&mut Sampled> {
        self.sampled.as_mut()
    }

    /// The decision about calls.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The share of calls that is admitted.
    pub fn share(&self, now: Seconds) -> f64 {
        match self.mode {
            Mode::Closed => 1.0,
            Mode::Open => 0.0,
            Mode::Ramp => self.ramp.share(now),
        }
    }

    /// Whether a success is evidence.
    pub fn is_in_doubt(&self) -> bool {
        self.belief.is_in_doubt() || self.throttles_in_a_row > 0 || self.throttles_since_cut > 0
    }

    /// The belief as of `now`.
    pub fn belief(&self, now: Seconds) -> Belief {
        let mut belief = self.belief.clone();
        belief.advance(now);
        belief
    }

    /// The 95 % quantile of the successes.
    pub fn p95(&self) -> Option<Seconds> {
        self.latencies.p95()
    }

    /// Probes, or calls of the ramp, in flight.
    pub fn out(&self) -> u32 {
        self.flight.out()
    }

    /// The end of the time for which a server asked.
    pub fn hold(&self) -> Option<Seconds> {
        self.hold
    }

    /// The time of the next probe, at the latest.
    pub fn probe_by(&self) -> Option<Seconds> {
        (self.mode == Mode::Open).then_some(self.latest)
    }

    /// How often the incident came back.
    pub fn relapses(&self) -> i32 {
        self.relapses
    }

    /// Changes the numbers.
    pub fn set_numbers(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    /// Opens by hand, without a probe before `hold`.
    pub fn open_by_hand(&mut self, hold: Option<Seconds>, now: Seconds) {
        (self.tripped_at, self.relapses) = (now, 0);
        self.belief = Belief::unknown(now, 0.0);
        self.open(false, now);
        self.steps.pop();
        if let Some(hold) = hold {
            (self.hold, self.next, self.latest) = (Some(hold), hold, hold);
        }
    }

    /// Makes the next call a probe.
    pub fn probe_now(&mut self, now: Seconds) {
        (self.hold, self.next, self.latest) = (None, now, now);
    }

    /// Closes by hand; the learned numbers stay.
    pub fn close_by_hand(&mut self, now: Seconds) {
        self.mode = Mode::Closed;
        self.begin_epoch(now);
        self.hold = None;
        (self.tripped_at, self.closed_at, self.ended_at_age, self.relapses) = (0.0, None, 0.0, 0);
        self.ramp.length = 0.0;
        self.acquit();
        self.resume(now);
    }

    /// Only watches in closed, or decides.
    pub fn watch(&mut self, watches: bool) {
        self.watch = if watches { Watch::Closed } else { Watch::No };
    }
}

impl Policy for Reference {
    fn admit(&mut self, now: Seconds) -> Option<u64> {
        self.attempt(now).then_some(self.epoch)
    }

    fn end(&mut self, call: u64, start: Seconds, answer: &Answer, now: Seconds) {
        if call != self.epoch {
            return;
        }
        let late =
            answer.outcome == Outcome::Success && self.slow_limit().is_some_and(|limit| answer.took > limit);
        let end = End {
            start,
            took: answer.took,
            outcome: answer.outcome,
            hint: answer.retry_after,
            slow: late || answer.outcome == Outcome::Timeout,
            left: None,
            precise: true,
        };
        self.record(&end, now);
    }
}
