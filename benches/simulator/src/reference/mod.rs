//! The design of the adaptive breaker as a plain state machine: no atomics, each call learned from alone, and all time
//! and chance passed in. The library's breaker is judged by it.

mod baseline;
mod belief;
mod flight;

pub use baseline::{Arrivals, Baseline, Latencies};
pub use belief::{Belief, Prior};
pub use flight::Flight;

use crate::chance::split_mix;
use crate::policy::{Answer, Outcome, Policy, Seconds};

/// What may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// The share of bad calls above which a call is not worth making.
    pub break_even: f64,
    /// The time between false trips.
    pub false_trip_interval: Seconds,
    /// The multiple of the 95 % quantile above which an answer is slow.
    pub slow_multiple: f64,
    /// The time between probes.
    pub max_probe_gap: Seconds,
    /// The longest hint that is obeyed.
    pub hint_max: Seconds,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers {
            break_even: 0.5,
            false_trip_interval: 604_800.0,
            slow_multiple: 3.0,
            max_probe_gap: 30.0,
            hint_max: 120.0,
        }
    }
}

/// Below this worth it opens.
pub const TRIP_WORTH: f64 = -0.15;
/// No slow limit is learned below this.
const SLOW_FLOOR: Seconds = 0.7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Closed,
    Open,
    Ramp,
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
        if self.length < 1e-3 { 1.0 } else { (self.share + (now - self.since) / self.length).min(1.0) }
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
        };
        reference.ramp.credit = reference.roll();
        reference
    }

    fn roll(&mut self) -> f64 {
        (split_mix(&mut self.dice) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn prior(&self, now: Seconds) -> Prior {
        let soon = self.closed_at.map_or(f64::INFINITY, |closed| 300.0 * (now - closed + 3.0));
        let interval = self.numbers.false_trip_interval.min(soon);
        Prior {
            normal: self.baseline.share(),
            break_even: self.baseline.break_even(self.numbers.break_even),
            onset: (1.0 / (self.arrivals.rate(now) * interval)).clamp(1e-9, 1e-2),
        }
    }

    fn slow_limit(&self) -> Option<Seconds> {
        let is_warm = self.begun.is_some_and(|begun| self.learned_at - begun >= 60.0 - 0.05);
        let p95 = self.latencies.p95().filter(|_| is_warm)?;
        Some((p95 * self.numbers.slow_multiple).max(SLOW_FLOOR))
    }

    fn overdue_limit(&self) -> Option<Seconds> {
        let p95 = self.latencies.p95()?;
        Some(match self.mode {
            Mode::Open => (1.5 * p95).max(0.02),
            Mode::Closed | Mode::Ramp => (p95 * self.numbers.slow_multiple).max(SLOW_FLOOR),
        })
    }

    /// The age of a doubt that begins now: that of the incident before, less the time since its end.
    fn age_of_a_new_doubt(&self, now: Seconds) -> Seconds {
        match (self.mode, self.closed_at) {
            (Mode::Ramp, _) => self.ended_at_age,
            (_, None) => 0.0,
            (_, Some(closed)) => (self.ended_at_age - (now - closed)).max(0.0),
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
        let in_ramp = self.mode == Mode::Ramp;
        if !in_ramp && self.belief.down() <= 2.0 * prior.onset {
            return self.acquit();
        }
        let ripe = !in_ramp || now - self.ramp.evidence_from >= self.latencies.typical();
        if self.belief.worth(&prior) >= TRIP_WORTH || !ripe {
            return;
        }
        if in_ramp && self.tally.1 >= 0.5 * self.tally.0 && self.ramp.good_since_cut > 0 {
            self.cut(now);
        } else {
            self.trip(now);
        }
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
            self.learned_at = now;
            self.tally.2 = now;
        }
    }

    fn learn(&mut self, bad: bool, took: Option<Seconds>, now: Seconds) {
        let prior = self.prior(now);
        let elapsed = now - self.learned_at;
        self.learned_at = now;
        if self.belief.down() < prior.onset.sqrt() {
            self.baseline.learn(bad, elapsed, self.numbers.break_even);
            if let Some(took) = took {
                self.latencies.learn(took, elapsed);
            }
        } else {
            let step = (1.0 / (300.0 * self.arrivals.rate(now))).min(1e-3);
            self.baseline.step(bad, step, self.numbers.break_even);
        }
    }

    // ---- open -----------------------------------------------------------------------------------

    fn trip(&mut self, now: Seconds) {
        let in_ramp = self.mode == Mode::Ramp;
        let since_closed = self.closed_at.map_or(f64::INFINITY, |closed| now - closed);
        if in_ramp || since_closed < (2.0 * self.ramp.length).max(1.0) {
            if !in_ramp || self.ramp.beginning >= 3 {
                self.relapses = (self.relapses + 1).min(4);
            }
        } else {
            (self.relapses, self.tripped_at) = (0, now);
        }
        self.open(now);
    }

    fn open(&mut self, now: Seconds) {
        self.mode = Mode::Open;
        self.begin_epoch(now);
        if !self.belief.is_in_doubt() {
            self.belief = Belief::unknown(now, self.age_of_a_new_doubt(now));
        }
        (self.tally.0, self.tally.1) = (0.0, 0.0);
        self.belief.begin_at(now);
        self.hold = None;
        self.begin_gap(now);
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
        let prior = self.prior(now);
        if self.belief.worth(&prior) > 0.0 && self.belief.is_good(&prior) > 0.5 {
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
    }

    fn cut(&mut self, now: Seconds) {
        let share = self.ramp.share(now) * 0.5;
        if share < 0.02 {
            return self.trip(now);
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
    }

    /// Returns whether a throttled call is no further evidence.
    fn throttled(&mut self, start: Seconds, hint: Option<Seconds>, now: Seconds) -> bool {
        self.throttles_in_a_row += 1;
        self.throttles_since_cut += u32::from(start >= self.ramp.evidence_from);
        let obeyed = self.throttles_in_a_row >= 4 || self.mode == Mode::Open;
        if let Some(hint) = hint.filter(|_| obeyed) {
            if self.mode != Mode::Open {
                (self.tripped_at, self.relapses) = (now, 0);
                self.open(now);
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
                (self.ramp.length, self.ramp.good) = (0.0, 0);
            }
            self.cut(now);
        }
        true
    }

    // ---- calls in flight ------------------------------------------------------------------------

    fn judge_overdue(&mut self, now: Seconds) {
        let Some(limit) = self.overdue_limit() else { return };
        while let Some((calls, until)) = self.flight.take_overdue(now, limit) {
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

    fn is_old_news(&self, until: Seconds, now: Seconds) -> bool {
        let ripe_after = self.latencies.ripe_after();
        let (started, good) = self.flight.youngest(until, ripe_after, now);
        let break_even = self.baseline.break_even(self.numbers.break_even);
        started >= 4 && f64::from(good) > (1.0 - break_even) * f64::from(started)
    }
}

impl Policy for Reference {
    fn admit(&mut self, now: Seconds) -> Option<u64> {
        if self.begun.is_none() {
            self.begun = Some(now);
            self.arrivals = Arrivals::new(now);
            (self.learned_at, self.tally.2) = (now, now);
        }
        self.arrivals.arrive(now, 1.0);
        self.judge_overdue(now);
        if let (Mode::Open, Some(hold)) = (self.mode, self.hold) {
            if now < hold {
                return None;
            }
            self.begin_ramp(true, now);
        }
        match self.mode {
            Mode::Closed => {}
            Mode::Open => {
                if !self.is_probe_due(now) {
                    return None;
                }
                self.begin_gap(now);
            }
            Mode::Ramp => {
                self.ramp.credit += self.ramp.share(now);
                if self.ramp.credit < 1.0 {
                    return None;
                }
                self.ramp.credit -= 1.0;
            }
        }
        self.flight.enter(now, self.overdue_limit());
        Some(self.epoch)
    }

    fn end(&mut self, call: u64, start: Seconds, answer: &Answer, now: Seconds) {
        if call != self.epoch {
            return;
        }
        let success = answer.outcome == Outcome::Success;
        let late = success && self.slow_limit().is_some_and(|limit| answer.took > limit);
        let bad = !success || late;
        let slow = late || answer.outcome == Outcome::Timeout;
        let was_judged = self.flight.is_judged(start);
        self.flight.leave(start, !bad);
        self.judge_overdue(now);
        if call != self.epoch {
            return;
        }
        let judged = was_judged || (slow && self.is_old_news(start, now));
        if late && (self.mode == Mode::Open || (self.mode == Mode::Ramp && self.ramp.cuts >= 2)) {
            self.latencies.accept(answer.took, now - self.learned_at);
            self.learned_at = now;
        }
        if success {
            self.throttles_in_a_row = 0;
            if self.mode == Mode::Closed {
                self.throttles_since_cut = 0;
            }
        }
        if answer.outcome == Outcome::Throttled && self.throttled(start, answer.retry_after, now) {
            return;
        }
        match self.mode {
            Mode::Closed => {
                self.learn(bad, success.then_some(answer.took), now);
                if !judged && (bad || self.belief.is_in_doubt()) {
                    self.weigh(bad, slow, now);
                }
            }
            // It was judged, and answers in time after all: the verdict is taken back.
            Mode::Open if was_judged && !bad => self.probed(-1.0, 1.0, now),
            Mode::Open if judged => {}
            Mode::Open if bad => self.probed(1.0, 0.0, now),
            Mode::Open => self.probed(0.0, 1.0, now),
            Mode::Ramp if judged || start < self.ramp.evidence_from => {}
            Mode::Ramp => self.weigh_in_ramp(bad, slow, now),
        }
    }
}
