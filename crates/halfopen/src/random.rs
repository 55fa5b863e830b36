//! Pseudo-random numbers that are a function of a seed.

/// The generator SplitMix64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SplitMix64(u64);

/// What the state grows by: the golden ratio, so that the states of nearby seeds are far apart.
pub(crate) const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mixed(self.0)
    }

    /// Returns the next number, evenly distributed from 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Mixes bits so well that each bit of the result depends on all of them.
pub(crate) fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut numbers = SplitMix64::new(1_234_567);
        let first = [numbers.next(), numbers.next(), numbers.next()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn shares_are_from_zero_to_one() {
        let mut numbers = SplitMix64::new(7);
        let shares: Vec<f64> = (0..100).map(|_| numbers.share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)), "{shares:?}");
        assert!(shares.iter().any(|&share| share < 0.1) && shares.iter().any(|&share| share > 0.9));
    }
}
