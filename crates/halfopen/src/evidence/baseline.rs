//! The normal behaviour of a dependency: its share of bad calls, its latency, and how many calls arrive.

use super::belief::Seconds;

/// The share of bad calls that is assumed before any call, and the number of calls that it weighs as much as.
const FIRST_SHARE: f64 = 0.05;
const FIRST_WEIGHT: f64 = 20.0;

/// The memory of a baseline, in calls and in seconds: whichever is shorter.
const MEMORY_CALLS: f64 = 1000.0;
const MEMORY: Seconds = 300.0;

/// Successes before a latency is known.
const SUCCESSES_TO_KNOW: f64 = 20.0;

/// Successes before a typical latency is.
const SUCCESSES_TO_GUESS: f64 = 5.0;

/// No answer is judged slow in the first minute: load that grows after a start is no incident.
const SLOW_WARM_UP: Seconds = 60.0;

/// The quantile of a logarithmic normal distribution at 95 %, in mean absolute deviations.
const P95: f64 = 2.0617;

/// How quickly a lasting slowdown is accepted.
const ACCEPTANCE: Seconds = 100.0;

/// As if it had watched for a moment before the first call, which alone is no rate.
const BEFORE_THE_FIRST: Seconds = 0.05;

/// The distance from the normal share to break-even, at least.
const MARGIN: f64 = 0.15;

/// The learned numbers of a dependency.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Baseline {
    born: Seconds,
    /// The normal share of bad calls, and the calls it is learned from.
    share: f64,
    calls: f64,
    /// The logarithm of a success's duration, its mean absolute deviation, and the successes they are learned from.
    centre: f64,
    spread: f64,
    successes: f64,
    learned_at: Seconds,
    latency_at: Seconds,
    /// Follow from the centre and the spread: asked for at every call, and changed seldom.
    p95: Seconds,
    typical: Seconds,
}

impl Baseline {
    pub(crate) fn new(now: Seconds) -> Baseline {
        Baseline {
            born: now - BEFORE_THE_FIRST,
            share: FIRST_SHARE,
            calls: FIRST_WEIGHT,
            centre: 0.0,
            spread: 0.4,
            successes: 0.0,
            learned_at: now,
            latency_at: now,
            p95: (P95 * 0.4).exp(),
            typical: 1.0,
        }
    }

    /// The share of bad calls in normal operation.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    /// The share of bad calls above which a call is not worth making.
    pub(crate) fn break_even(&self, wanted: f64) -> f64 {
        wanted.max(self.share + MARGIN).min(0.95)
    }

    /// 95 % of the successes are faster, once enough have been seen.
    pub(crate) fn p95(&self) -> Option<Seconds> {
        (self.successes >= SUCCESSES_TO_KNOW).then_some(self.p95)
    }

    fn derive(&mut self) {
        self.p95 = (self.centre + P95 * self.spread).exp();
        self.typical = self.centre.exp();
    }

    /// How long a success takes: zero where it is not known, and 10 s at most.
    pub(crate) fn typical(&self) -> Seconds {
        if self.successes < SUCCESSES_TO_GUESS { 0.0 } else { self.typical.min(10.0) }
    }

    /// The age from which a call without an answer is evidence: the 95 % quantile, or ten times the typical latency.
    pub(crate) fn ripe_after(&self) -> Seconds {
        self.p95.min(10.0 * self.typical())
    }

    /// Whether slow answers may be judged yet.
    pub(crate) fn is_warm(&self) -> bool {
        self.successes >= SUCCESSES_TO_KNOW && self.learned_at - self.born >= SLOW_WARM_UP
    }

    /// Learns from a call in normal operation; `took` is that of a success.
    pub(crate) fn learn(&mut self, now: Seconds, bad: bool, took: Option<Seconds>, wanted: f64) {
        let least = least_step(now - self.learned_at);
        self.reach(now);
        self.calls += 1.0;
        self.move_share(self.calls.recip().max(least), bad, wanted);
        if let Some(took) = took {
            self.learn_latency(now, took);
        }
    }

    /// Learns from so many good calls since the last time, in normal operation.
    ///
    /// The steps follow from the rate, here and in [`learn_bad`](Self::learn_bad): good calls are learned together and
    /// bad ones alone, so that the time since the last step would weigh the two differently.
    pub(crate) fn learn_good(&mut self, now: Seconds, calls: u64, rate: f64) {
        let least = step_at_rate(rate);
        self.reach(now);
        let before = self.calls;
        self.calls += calls as f64;
        // The steps are one in so many calls while there are few, then the least.
        self.share *= (before / self.calls).min((1.0 - least).powf(calls as f64));
    }

    /// Learns from a bad call in normal operation; `took` is that of a success that was too late.
    pub(crate) fn learn_bad(&mut self, now: Seconds, took: Option<Seconds>, rate: f64, wanted: f64) {
        self.reach(now);
        self.calls += 1.0;
        self.move_share(self.calls.recip().max(step_at_rate(rate)), true, wanted);
        if let Some(took) = took {
            self.learn_latency(now, took);
        }
    }

    /// Learns from calls in doubt: so slowly that an incident is not taken for normal, and a lasting harmless change is.
    pub(crate) fn learn_in_doubt(&mut self, now: Seconds, bad: bool, rate: f64, wanted: f64) {
        self.reach(now);
        self.move_share(step_at_rate(rate), bad, wanted);
    }

    /// The same for so many good calls.
    pub(crate) fn learn_good_in_doubt(&mut self, now: Seconds, calls: u64, rate: f64) {
        self.reach(now);
        self.share *= (1.0 - step_at_rate(rate)).powf(calls as f64);
    }

    /// Learning goes on from `now`: what happened before was an incident.
    pub(crate) fn resume(&mut self, now: Seconds) {
        self.reach(now);
        self.latency_at = now;
    }

    /// A step back of the clock is no time: the age of what was learned stays.
    fn reach(&mut self, now: Seconds) {
        self.born -= (self.learned_at - now).max(0.0);
        self.learned_at = now;
    }

    fn move_share(&mut self, step: f64, bad: bool, wanted: f64) {
        let bad = if bad { 1.0 } else { 0.0 };
        self.share = (self.share + step * (bad - self.share)).min(0.8 * wanted.max(0.3));
    }

    /// Learns from how long a success took: from each one, or from a sample of them.
    pub(crate) fn learn_latency(&mut self, now: Seconds, took: Seconds) {
        let (log, least) = (took.max(1e-6).ln(), least_step(now - self.latency_at));
        self.latency_at = now;
        self.successes += 1.0;
        if self.successes == 1.0 {
            self.centre = log;
            return self.derive();
        }
        let step = self.successes.recip().max(least);
        // A burst of slow answers must not carry the baseline away.
        let reach = if self.successes < SUCCESSES_TO_KNOW { 10.0 } else { 4.0 * self.spread.max(0.05) };
        let off = (log - self.centre).clamp(-reach, reach);
        self.centre += step * off;
        self.spread += 0.5 * step * (off.abs() - self.spread);
        self.derive();
    }

    /// Learns from a slow success while calls are rejected, so that a lasting slowdown cannot keep a breaker open.
    pub(crate) fn accept_slow(&mut self, now: Seconds, took: Seconds) {
        let elapsed = (now - self.learned_at).clamp(0.0, 30.0);
        self.reach(now);
        self.latency_at = now;
        let off = (took.max(1e-6).ln() - self.centre).max(0.0);
        self.centre += (elapsed / ACCEPTANCE).min(0.5) * off;
        self.derive();
    }
}

/// The step by which a call that comes so long after the one before moves a baseline that has its full memory.
fn least_step(elapsed: Seconds) -> f64 {
    (elapsed / MEMORY).min(1.0 / MEMORY_CALLS)
}

fn step_at_rate(rate: f64) -> f64 {
    (1.0 / (rate * MEMORY)).min(1.0 / MEMORY_CALLS)
}

/// How many calls arrive in a second, over the last half minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arrivals {
    born: Seconds,
    rate: f64,
    at: Seconds,
}

const ARRIVALS_MEMORY: Seconds = 30.0;

impl Arrivals {
    pub(crate) fn new(now: Seconds) -> Arrivals {
        Arrivals { born: now - BEFORE_THE_FIRST, rate: 0.0, at: now }
    }

    /// So many calls have arrived, admitted or not.
    pub(crate) fn arrive(&mut self, now: Seconds, calls: u64) {
        self.rate = self.faded(now) + calls as f64 / ARRIVALS_MEMORY;
        self.born -= (self.at - now).max(0.0);
        self.at = now;
    }

    /// Calls a second, corrected for the time before the memory is full; above zero.
    pub(crate) fn rate(&self, now: Seconds) -> f64 {
        let filled = 1.0 - fading((now - self.born).max(1e-3) / ARRIVALS_MEMORY);
        (self.faded(now) / filled.max(1e-3)).max(1e-3)
    }

    fn faded(&self, now: Seconds) -> f64 {
        self.rate * fading((now - self.at).max(0.0) / ARRIVALS_MEMORY)
    }
}

/// The part of one that remains after a time in units of its memory: `e^-time`, without the exponential where calls are close to
/// each other or the memory has long been full.
pub(super) fn fading(time: f64) -> f64 {
    if time < 1e-4 {
        1.0 - time + 0.5 * time * time
    } else if time > 40.0 {
        0.0
    } else {
        (-time).exp()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_normal_share_is_learned_and_capped() {
        let mut baseline = Baseline::new(0.0);
        for call in 0..5_000 {
            baseline.learn(f64::from(call) * 0.02, call % 100 == 0, Some(0.05), 0.5);
        }
        assert!((0.005..0.02).contains(&baseline.share()), "{}", baseline.share());
        for call in 0..100_000 {
            baseline.learn(100.0 + f64::from(call) * 0.02, true, None, 0.5);
        }
        assert!(baseline.share() <= 0.4, "an outage is not learned: {}", baseline.share());
    }

    #[test]
    fn good_calls_weigh_the_same_together_and_alone() {
        for share in [10_u32, 35] {
            let mut baseline = Baseline::new(0.0);
            let mut good = 0;
            for call in 0..100_000_u32 {
                let now = f64::from(call) * 0.05;
                // A permutation of the residues, so that bad calls are spread evenly.
                if call * 37 % 100 < share {
                    baseline.learn_good(now, good, 20.0);
                    baseline.learn_bad(now, None, 20.0, 0.5);
                    good = 0;
                } else {
                    good += 1;
                }
            }
            let expected = f64::from(share) / 100.0;
            assert!((baseline.share() - expected).abs() < 0.01, "{} for {expected}", baseline.share());
        }
    }

    #[test]
    fn a_latency_is_known_at_twenty_and_used_in_a_minute() {
        let mut baseline = Baseline::new(0.0);
        for call in 0..19 {
            baseline.learn(f64::from(call), false, Some(0.1), 0.5);
        }
        assert_eq!(baseline.p95(), None);
        baseline.learn(19.0, false, Some(0.1), 0.5);
        assert!(baseline.p95().is_some() && !baseline.is_warm());
        baseline.learn(60.0, false, Some(0.1), 0.5);
        assert!(baseline.is_warm());
        assert!((baseline.typical() - 0.1).abs() < 0.001);
    }

    #[test]
    fn a_burst_of_slow_answers_moves_the_baseline_little() {
        let mut baseline = Baseline::new(0.0);
        for call in 0..2_000 {
            baseline.learn(
                f64::from(call) * 0.02,
                false,
                Some(if call % 2 == 0 { 0.08 } else { 0.125 }),
                0.5,
            );
        }
        let before = baseline.typical();
        for call in 0..20 {
            baseline.learn(40.0 + f64::from(call) * 0.02, false, Some(30.0), 0.5);
        }
        assert!(baseline.typical() < 1.1 * before, "{} after {before}", baseline.typical());
    }

    #[test]
    fn the_rate_of_arrivals_is_right_from_the_start() {
        let mut arrivals = Arrivals::new(100.0);
        for call in 0..200 {
            arrivals.arrive(100.0 + f64::from(call) * 0.1, 1);
            if call > 20 {
                let rate = arrivals.rate(100.0 + f64::from(call) * 0.1);
                assert!((8.0..13.0).contains(&rate), "{rate} at call {call}");
            }
        }
        assert!(arrivals.rate(1_000.0) < 0.01);
        assert!(arrivals.rate(f64::MAX) > 0.0);
    }
}
