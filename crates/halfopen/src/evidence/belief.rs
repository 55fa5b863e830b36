//! How sick a dependency is believed to be.

/// Times and durations in seconds, on the breaker's clock.
pub(crate) type Seconds = f64;

/// How many depths an incident may have.
pub(crate) const LEVELS: usize = 6;

/// The share of bad calls at each depth, on top of the normal share.
const DEPTHS: [f64; LEVELS] = [0.25, 0.40, 0.55, 0.70, 0.85, 0.97];

/// A dependency that is never seen to fail fails once in a thousand calls all the same.
const LEAST_NORMAL: f64 = 0.001;

/// An incident that has just begun may be over in a moment.
const YOUNGEST: Seconds = 0.5;

/// The expected worth of a call at which a closed breaker opens. Below zero, because rejecting teaches nothing.
pub(crate) const TRIP_WORTH: f64 = -0.15;

/// The numbers of a dependency before a call ends, against which the belief is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prior {
    /// The share of bad calls in normal operation.
    pub(crate) normal: f64,
    /// The share of bad calls above which a call is not worth making.
    pub(crate) break_even: f64,
    /// The chance that an incident begins between two calls.
    pub(crate) onset: f64,
}

impl Prior {
    /// The share of bad calls at a depth.
    fn level(&self, depth: f64) -> f64 {
        self.normal + (1.0 - self.normal) * depth
    }

    fn levels(&self) -> [f64; LEVELS] {
        DEPTHS.map(|depth| self.level(depth))
    }
}

/// The probability that a dependency is up, and if it is not, at which depth an incident is.
///
/// Each result updates it by Bayes' rule. Time alone moves it back towards up, with a hazard that falls as the
/// incident grows older, so that no typical length is assumed. The probabilities sum to one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Belief {
    up: f64,
    down: [f64; LEVELS],
    /// The moment that the probabilities are of.
    at: Seconds,
    doubt: Option<Doubt>,
}

/// A period in which the dependency may be down.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Doubt {
    since: Seconds,
    /// How old the incident counted when the doubt began: one that returns soon is as old as it was.
    age: Seconds,
}

impl Belief {
    /// Without a doubt that the dependency is up.
    pub(crate) fn healthy() -> Belief {
        Belief { up: 1.0, down: [0.0; LEVELS], at: 0.0, doubt: None }
    }

    /// The belief about a dependency that has only throttled: probably down, at an unknown depth.
    pub(crate) fn unknown(now: Seconds, age: Seconds) -> Belief {
        let doubt = Some(Doubt { since: now, age });
        Belief { up: 0.1, down: [0.9 / LEVELS as f64; LEVELS], at: now, doubt }
    }

    pub(crate) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// The probability that the dependency is down.
    pub(crate) fn down(&self) -> f64 {
        if self.is_in_doubt() { 1.0 - self.up } else { 0.0 }
    }

    /// The probability that the dependency is up.
    pub(crate) fn up(&self) -> f64 {
        self.up
    }

    /// The sum of the probabilities, which is one.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn sum(&self) -> f64 {
        self.up + self.down.iter().sum::<f64>()
    }

    /// How old the incident is, if there is one.
    pub(crate) fn age(&self, now: Seconds) -> Seconds {
        self.doubt.map_or(YOUNGEST, |doubt| (doubt.age + now - doubt.since).max(YOUNGEST))
    }

    /// Time counts from `now` on.
    pub(crate) fn begin_at(&mut self, now: Seconds) {
        self.at = now;
    }

    /// How long ago the probabilities were brought up to date.
    pub(crate) fn since_advance(&self, now: Seconds) -> Seconds {
        (now - self.at).max(0.0)
    }

    /// Lets time pass: a dependency that is down recovers with a hazard of 1 / (2 age).
    pub(crate) fn advance(&mut self, now: Seconds) {
        let elapsed = (now - self.at).max(0.0);
        self.at = now;
        if !self.is_in_doubt() {
            return;
        }
        let stays = (1.0 + elapsed / self.age(now)).sqrt().recip();
        for share in &mut self.down {
            self.up += *share * (1.0 - stays);
            *share *= stays;
        }
    }

    /// Learns that a call ended: `bad` and `good` are one and zero, or zero and one; a verdict is taken back with a
    /// `bad` of minus one. `age` is how old an incident counts that begins now.
    pub(crate) fn observe(&mut self, prior: &Prior, bad: f64, good: f64, age: Seconds, now: Seconds) {
        self.advance(now);
        if !self.is_in_doubt() {
            *self = Belief { doubt: Some(Doubt { since: now, age }), at: now, ..Belief::healthy() };
        }
        let likelihood = |share: f64| raised(share, bad) * raised(1.0 - share, good);
        let begins = self.up * prior.onset;
        self.up = (self.up - begins) * likelihood(prior.normal.max(LEAST_NORMAL));
        for (share, level) in self.down.iter_mut().zip(prior.levels()) {
            *share = (*share + begins / LEVELS as f64) * likelihood(level);
        }
        self.normalize();
    }

    fn normalize(&mut self) {
        let sum = self.up + self.down.iter().sum::<f64>();
        self.up /= sum;
        for share in &mut self.down {
            *share /= sum;
        }
    }

    /// The expected worth of a call: 1 for one that is sure to be good, 0 at break-even, below that better not made.
    pub(crate) fn worth(&self, prior: &Prior) -> f64 {
        let worth = |share: f64| 1.0 - share / prior.break_even;
        let down: f64 = self.down.iter().zip(prior.levels()).map(|(share, level)| share * worth(level)).sum();
        self.up * worth(prior.normal) + down
    }

    /// The probability that a call is worth making.
    pub(crate) fn worth_calling(&self, prior: &Prior) -> f64 {
        let levels = self.down.iter().zip(prior.levels());
        self.up + levels.filter(|(_, level)| *level < prior.break_even).map(|(share, _)| share).sum::<f64>()
    }

    /// The probability that more than break-even of the calls are bad.
    pub(crate) fn sick(&self, prior: &Prior) -> f64 {
        let levels = self.down.iter().zip(prior.levels());
        levels.filter(|(_, level)| *level > prior.break_even).map(|(share, _)| share).sum()
    }

    /// Whether a call is worth making, and more likely so than not.
    pub(crate) fn is_back(&self, prior: &Prior) -> bool {
        self.worth(prior) > 0.0 && self.worth_calling(prior) > 0.5
    }

    /// Whether the doubt is as good as over.
    pub(crate) fn is_acquitted(&self, prior: &Prior) -> bool {
        self.down() <= 2.0 * prior.onset
    }

    /// The share of bad calls that is most likely, where it is in doubt.
    pub(crate) fn likeliest_share(&self, prior: &Prior) -> f64 {
        let down = self.down.iter().zip(prior.levels());
        let all = down.map(|(share, level)| (*share, level)).chain([(self.up, prior.normal)]);
        all.max_by(|(one, _), (other, _)| one.total_cmp(other)).map_or(prior.normal, |(_, level)| level)
    }

    /// The expected share of bad calls if the dependency is down.
    pub(crate) fn share_if_down(&self, prior: &Prior) -> f64 {
        let shares = self.down.iter().zip(prior.levels()).map(|(share, level)| share * level);
        shares.sum::<f64>() / self.down.iter().sum::<f64>()
    }

    /// How many bad calls in a row, all at one moment, would open a closed breaker.
    pub(crate) fn bad_calls_to_trip(&self, prior: &Prior, age: Seconds, now: Seconds) -> u32 {
        let mut belief = self.clone();
        // The most that any prior needs is 25; a belief that no bad call moves would else be asked for ever.
        (1..=MOST_TO_TRIP)
            .find(|_| {
                belief.observe(prior, 1.0, 0.0, age, now);
                belief.worth(prior) < TRIP_WORTH
            })
            .unwrap_or(MOST_TO_TRIP)
    }
}

/// A power; mostly of nothing or one.
fn raised(base: f64, exponent: f64) -> f64 {
    if exponent == 0.0 {
        1.0
    } else if exponent == 1.0 {
        base
    } else {
        base.powf(exponent)
    }
}

const MOST_TO_TRIP: u32 = 100;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn prior(normal: f64, rate: f64) -> Prior {
        let break_even = 0.5_f64.max(normal + 0.15);
        let onset = (1.0 / (rate * 604_800.0)).clamp(1e-9, 1e-2);
        Prior { normal, break_even, onset }
    }

    #[test]
    fn so_many_bad_calls_in_a_row_trip() {
        let rates = [0.2, 2.0, 50.0, 1000.0];
        for (normal, expected) in [
            (0.001, [3, 3, 3, 4]),
            (0.01, [4, 4, 5, 5]),
            (0.05, [5, 6, 7, 8]),
            (0.1, [7, 8, 9, 10]),
            (0.2, [9, 11, 12, 14]),
            (0.35, [14, 16, 18, 21]),
        ] {
            let needed = rates.map(|rate| calls_to_trip(&prior(normal, rate), rate));
            assert_eq!(needed, expected, "at a normal share of {normal}");
        }
    }

    /// The calls are as far apart as they arrive, in which time the doubt fades a little, and the normal share is
    /// learned from them as a baseline learns it.
    fn calls_to_trip(first: &Prior, rate: f64) -> u32 {
        let (mut belief, mut prior) = (Belief::healthy(), *first);
        (1..100)
            .find(|call| {
                let deep = belief.down() >= prior.onset.sqrt();
                let step =
                    if deep { (1.0 / (300.0 * rate)).min(0.001) } else { 0.001_f64.min(1.0 / rate / 300.0) };
                prior.normal += step * (1.0 - prior.normal);
                prior.break_even = 0.5_f64.max(prior.normal + 0.15);
                belief.observe(&prior, 1.0, 0.0, 0.0, f64::from(*call) / rate);
                belief.worth(&prior) < TRIP_WORTH
            })
            .unwrap_or(100)
    }

    #[test]
    fn soon_after_an_incident_fewer_bad_calls_trip() {
        let expected = [(0.001, 3), (0.01, 4), (0.05, 5), (0.1, 7), (0.2, 9), (0.35, 13)];
        for (normal, calls) in expected {
            let onset = 1.0 / (50.0 * 300.0 * 13.0);
            let prior = Prior { onset, ..prior(normal, 50.0) };
            assert_eq!(Belief::healthy().bad_calls_to_trip(&prior, 0.0, 10.0), calls, "at {normal}");
        }
    }

    #[test]
    fn no_good_call_costs_more_than_the_onset() {
        let prior = prior(0.05, 50.0);
        for bad in 0..20 {
            let mut belief = Belief::healthy();
            for _ in 0..bad {
                belief.observe(&prior, 1.0, 0.0, 0.0, 1.0);
            }
            let before = belief.worth(&prior);
            belief.observe(&prior, 0.0, 1.0, 0.0, 1.0);
            assert!(belief.worth(&prior) >= before - 2.0 * prior.onset, "after {bad} bad calls");
        }
    }

    #[test]
    fn time_alone_raises_the_worth() {
        let prior = prior(0.01, 10.0);
        let mut belief = Belief::healthy();
        for _ in 0..10 {
            belief.observe(&prior, 1.0, 0.0, 0.0, 5.0);
        }
        let mut worth = belief.worth(&prior);
        for step in 1..100 {
            belief.advance(5.0 + f64::from(step));
            assert!(belief.worth(&prior) >= worth, "after {step} s");
            worth = belief.worth(&prior);
        }
        assert!((belief.sum() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn any_advance_stays_a_probability() {
        let prior = prior(0.01, 10.0);
        let mut belief = Belief::healthy();
        belief.observe(&prior, 1.0, 0.0, 0.0, 5.0);
        belief.advance(1e9);
        assert!((belief.sum() - 1.0).abs() < 1e-9 && belief.up() > 0.9);
        belief.advance(3.0);
        assert!((belief.sum() - 1.0).abs() < 1e-9, "a step back is no time");
    }

    #[test]
    fn a_verdict_taken_back_counts_as_good() {
        let prior = prior(0.01, 10.0);
        let doubt = || {
            let mut belief = Belief::healthy();
            for _ in 0..4 {
                belief.observe(&prior, 1.0, 0.0, 0.0, 5.0);
            }
            belief
        };
        let (mut taken_back, mut good) = (doubt(), doubt());
        taken_back.observe(&prior, 1.0, 0.0, 0.0, 5.0);
        taken_back.observe(&prior, -1.0, 1.0, 0.0, 5.0);
        good.observe(&prior, 0.0, 1.0, 0.0, 5.0);
        assert!((taken_back.worth(&prior) - good.worth(&prior)).abs() < 0.01);
    }
}
