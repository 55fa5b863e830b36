use std::time::Duration;

/// A small seeded generator (splitmix64): a seed produces the same run on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The random numbers of one attempt of one request, the same for both clients and independent of the
    /// number of requests that the other client has sent before.
    pub(crate) fn of_attempt(seed: u64, request: u64, attempt: u64) -> Self {
        let mut dice = Self(seed ^ request.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let salt = dice.next();
        Self(salt ^ attempt.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    /// Uniform in `0..1`.
    pub(crate) fn unit(&mut self) -> f64 {
        // An f64 represents the upper 53 bits exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit())
    }

    /// The gap to the next arrival of a Poisson stream with this many arrivals a second.
    pub(crate) fn gap(&mut self, per_second: f64) -> Duration {
        Duration::from_secs_f64(-(1.0 - self.unit()).ln() / per_second)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
