//! The belief: how likely it is that the service is up, and down at each of six depths.

use crate::policy::Seconds;

/// The numbers against which a belief is weighed.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    /// The normal share of bad calls.
    pub normal: f64,
    /// The share above which a call is not worth making.
    pub break_even: f64,
    /// The probability that an incident begins, for each call.
    pub onset: f64,
}

const DEPTHS: [f64; 6] = [0.25, 0.40, 0.55, 0.70, 0.85, 0.97];
const LEAST_NORMAL: f64 = 0.001;
const LEAST_AGE: Seconds = 0.5;

impl Prior {
    /// The share of bad calls at each depth.
    fn depths(&self) -> [f64; 6] {
        DEPTHS.map(|depth| self.normal + (1.0 - self.normal) * depth)
    }
}

/// A probability for each state of the service.
#[derive(Clone, Debug)]
pub struct Belief {
    up: f64,
    down: [f64; 6],
    in_doubt: bool,
    at: Seconds,
    doubted_since: Seconds,
    age_then: Seconds,
}

impl Belief {
    /// Up, without a doubt.
    pub fn healthy() -> Belief {
        Belief { up: 1.0, down: [0.0; 6], in_doubt: false, at: 0.0, doubted_since: 0.0, age_then: 0.0 }
    }

    /// Down at an unknown depth.
    pub fn unknown(now: Seconds, age: Seconds) -> Belief {
        Belief { up: 0.1, down: [0.15; 6], in_doubt: true, at: now, doubted_since: now, age_then: age }
    }

    /// Whether there is anything to update.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// The probability of being up.
    pub fn up(&self) -> f64 {
        self.up
    }

    /// The probability of being down.
    pub fn down(&self) -> f64 {
        if self.in_doubt { 1.0 - self.up } else { 0.0 }
    }

    /// The time since it was advanced.
    pub fn since(&self, now: Seconds) -> Seconds {
        (now - self.at).max(0.0)
    }

    /// The age of the incident.
    pub fn age(&self, now: Seconds) -> Seconds {
        (self.age_then + now - self.doubted_since).max(LEAST_AGE)
    }

    /// Time before `now` is no recovery.
    pub fn begin_at(&mut self, now: Seconds) {
        self.at = now;
    }

    /// Moves the belief towards up, with a hazard of one in twice the age.
    pub fn advance(&mut self, now: Seconds) {
        let elapsed = self.since(now);
        self.at = now;
        if self.in_doubt {
            let stays = (1.0 + elapsed / self.age(now)).powf(-0.5);
            self.up += self.down.iter().sum::<f64>() * (1.0 - stays);
            self.down = self.down.map(|share| share * stays);
        }
    }

    /// Weighs bad and good calls; `age` is that of a doubt that begins now.
    pub fn observe(&mut self, prior: &Prior, bad: f64, good: f64, age: Seconds, now: Seconds) {
        self.advance(now);
        if !self.in_doubt {
            *self =
                Belief { in_doubt: true, at: now, doubted_since: now, age_then: age, ..Belief::healthy() };
        }
        let likelihood = |share: f64| share.powf(bad) * (1.0 - share).powf(good);
        let begins = self.up * prior.onset;
        // A normal share of next to nothing would make any failure conclusive.
        self.up = (self.up - begins) * likelihood(prior.normal.max(LEAST_NORMAL));
        for (down, share) in self.down.iter_mut().zip(prior.depths()) {
            *down = (*down + begins / 6.0) * likelihood(share);
        }
        let sum = self.up + self.down.iter().sum::<f64>();
        self.up /= sum;
        self.down = self.down.map(|down| down / sum);
    }

    /// The expected gain by a call.
    pub fn worth(&self, prior: &Prior) -> f64 {
        let gain = |share: f64| 1.0 - share / prior.break_even;
        let down: f64 = self.down.iter().zip(prior.depths()).map(|(down, share)| down * gain(share)).sum();
        self.up * gain(prior.normal) + down
    }

    /// The probability that a call is worth making.
    pub fn is_good(&self, prior: &Prior) -> f64 {
        let shallow = self.down.iter().zip(prior.depths()).filter(|(_, share)| *share < prior.break_even);
        self.up + shallow.map(|(down, _)| down).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: Prior = Prior { normal: 0.01, break_even: 0.5, onset: 1e-6 };

    #[test]
    fn a_belief_sums_to_one_and_recovers_with_time() {
        let mut belief = Belief::healthy();
        for call in 0..6 {
            belief.observe(&PRIOR, 1.0, 0.0, 0.0, f64::from(call) * 0.02);
            let sum = belief.up + belief.down.iter().sum::<f64>();
            assert!((sum - 1.0).abs() < 1e-12, "{belief:?}");
        }
        assert!(belief.worth(&PRIOR) < -0.5, "{belief:?}");
        let before = belief.worth(&PRIOR);
        belief.advance(100.0);
        assert!(belief.worth(&PRIOR) > before);
    }
}
