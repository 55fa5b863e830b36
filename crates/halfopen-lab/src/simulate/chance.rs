//! Chance that is a function of a seed.

use std::f64::consts::{SQRT_2, TAU};

/// A generator of pseudo-random numbers: xoshiro256**, seeded by SplitMix64.
#[derive(Clone, Debug)]
pub struct Chance([u64; 4]);

/// The next number of SplitMix64.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl Chance {
    /// Creates a generator.
    pub fn seeded(seed: u64) -> Chance {
        let mut state = seed ^ 0xD1B5_4A32_D192_ED03;
        Chance(std::array::from_fn(|_| split_mix(&mut state)))
    }

    /// Returns an integer, evenly distributed.
    pub fn integer(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        b.wrapping_mul(5).rotate_left(7).wrapping_mul(9)
    }

    /// Returns a number from 0 to 1, evenly distributed.
    pub fn even(&mut self) -> f64 {
        (self.integer() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns one of this number of places.
    pub fn place(&mut self, of: usize) -> usize {
        (self.even() * of as f64) as usize
    }

    /// Returns a number between two, evenly distributed.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.even()
    }

    /// Returns a number between two whose logarithm is evenly distributed.
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// Returns the time to the next event at this rate.
    pub fn exponential(&mut self, rate: f64) -> f64 {
        -(1.0 - self.even()).ln() / rate
    }

    /// Returns a number of the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        radius * (TAU * self.even()).cos()
    }

    /// Returns a number whose logarithm is normally distributed about that of the median.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }
}

/// The cumulative standard normal distribution, with an error below 1.5e-7 (Abramowitz and Stegun, 7.1.26).
pub fn normal_cdf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs() / SQRT_2);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let sum = series.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = 0.5 * sum * (-0.5 * x * x).exp();
    if x >= 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_has_its_known_quantiles() {
        for (x, share) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.0, 0.158_655_3), (1.959_964, 0.975)] {
            assert!((normal_cdf(x) - share).abs() < 2e-7, "{x}: {} for {share}", normal_cdf(x));
        }
    }

    #[test]
    fn numbers_follow_from_the_seed_and_their_law() {
        let mut chance = Chance::seeded(7);
        let mean = (0..10_000).map(|_| chance.exponential(2.0)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        let again: Vec<u64> = [7, 7, 8].map(|seed| Chance::seeded(seed).integer()).into();
        assert!(again[0] == again[1] && again[1] != again[2]);
    }
}
