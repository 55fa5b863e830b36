//! The closed breaker, and the parts that a ramp shares with it: the normal share is learned, and bad calls are weighed.

use super::steps::{Admitted, Dice, End, Findings, Mode, Opening, Step, WhyRamp};
use super::tally::Results;
use super::{Adaptive, Concurrent, Watch};
use crate::evidence::belief::{Belief, Prior, Seconds, TRIP_WORTH};
use crate::evidence::flight::UNKNOWN_WIDTH;
use crate::evidence::traffic::{BETWEEN_SAMPLES, Pending};

/// Above this probability of being down, a dependency that is worth calling is degraded.
const DEGRADED: f64 = 0.5;
/// The narrowest bucket of calls in flight.
const NARROWEST: Seconds = 0.001;
/// Results that found the evidence locked are weighed so many at a time, lest the likelihoods vanish.
const WEIGHED_TOGETHER: u64 = 32;

impl Adaptive {
    /// Takes note of the calls that were admitted and ended without the lock, where that is due.
    pub(super) fn read_traffic(&mut self, now: Seconds) {
        let is_due = self.concurrent.as_ref().is_some_and(|it| it.traffic.is_due(now));
        if self.mode != Mode::Closed || !is_due {
            return;
        }
        let width = self.overdue_limit().map_or(UNKNOWN_WIDTH, |limit| limit / 8.0).max(NARROWEST);
        let is_deep = self.is_deep(self.arrivals.rate(now), now);
        let Some(Concurrent { traffic, schedule }) = &mut self.concurrent else { return };
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

    #[expect(clippy::too_many_arguments, reason = "the parts of one result")]
    pub(super) fn record_closed(
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
        let rate = self.arrivals.rate(now);
        let is_deep = self.is_deep(rate, now);
        match call.unlocked {
            // The traffic has counted it; of its latency, a sample is learned.
            Some(unlocked) if good => {
                if !is_deep && unlocked.precise {
                    self.learn_sample(now, took);
                }
            }
            Some(_) | None if is_deep => {
                self.baseline.learn_in_doubt(now, !good, rate, wanted);
            }
            Some(_) => {
                let took = (end == End::Good).then_some(took);
                self.baseline.learn_bad(now, took, rate, wanted);
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
        self.weigh_at(rate, now, Results::one(good, late), dice, steps);
    }

    pub(super) fn learn_sample(&mut self, now: Seconds, took: Seconds) {
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
    pub(super) fn is_deep(&self, rate: f64, now: Seconds) -> bool {
        let down = self.belief.down();
        down > 0.0 && down * down >= self.onset(rate, now)
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
        let rate = self.arrivals.rate(now);
        for _ in 0..pending.bad {
            if self.is_deep(rate, now) {
                self.baseline.learn_in_doubt(now, true, rate, self.numbers.break_even);
            } else {
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
            self.weigh_at(rate, now, Results { slow: results.slow.min(results.bad), ..results }, dice, steps);
        }
    }

    pub(super) fn observe(&mut self, prior: &Prior, bad: f64, good: f64, now: Seconds) {
        let age = self.age_of_a_new_doubt(now);
        self.belief.observe(prior, bad, good, age, now);
    }

    /// An incident that returns soon is as old as it was, less the time for which it was gone.
    pub(super) fn age_of_a_new_doubt(&self, now: Seconds) -> Seconds {
        match self.mode {
            Mode::Ramp => self.incident.age,
            Mode::Closed | Mode::Open => {
                let gone = self.incident.closed_at.map_or(f64::INFINITY, |closed| (now - closed).max(0.0));
                (self.incident.age - gone).max(0.0)
            }
        }
    }

    pub(super) fn weigh(
        &mut self,
        now: Seconds,
        results: Results,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        self.weigh_at(self.arrivals.rate(now), now, results, dice, steps);
    }

    /// Weighs results while so many calls arrive in a second.
    fn weigh_at(
        &mut self,
        rate: f64,
        now: Seconds,
        results: Results,
        dice: &mut impl Dice,
        steps: &mut Vec<Step>,
    ) {
        self.tally.note(&results, rate, now);
        let prior = self.prior_at(rate, now);
        self.observe(&prior, results.bad, results.good, now);
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

    pub(super) fn acquit(&mut self) {
        self.belief = Belief::healthy();
        self.tally.clear();
    }

    pub(super) fn findings(&self, prior: &Prior) -> Findings {
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
}
