//! When checks run: pure functions of a seed and the number of the check.

use std::hash::Hasher;
use std::time::Duration;

/// Returns the time from the begin of check `round` to the begin of the next: the interval, varied by `jitter`.
pub(crate) fn pause(interval: Duration, jitter: f64, seed: u64, round: u64) -> Duration {
    let unit = unit(seed.wrapping_add(round.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    interval.mul_f64(1.0 + jitter * (2.0 * unit - 1.0))
}

/// Returns the time before the first check, within the jitter of an interval: processes that start together do not
/// check together.
pub(crate) fn first(interval: Duration, jitter: f64, seed: u64) -> Duration {
    interval.mul_f64(jitter * unit(seed))
}

/// Returns the longest time from the end of one check to the end of the next.
pub(crate) fn longest(interval: Duration, jitter: f64, timeout: Duration) -> Duration {
    interval.mul_f64(1.0 + jitter).saturating_add(timeout)
}

/// Returns the seed of a check, so that checks of one monitor differ.
pub(crate) fn seed_of(seed: u64, name: &str) -> u64 {
    // Keys of zero: the same name has the same seed in every process and version.
    #[expect(deprecated, reason = "the hasher whose keys are known")]
    let mut hasher = std::hash::SipHasher::new();
    hasher.write_u64(seed);
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// A number from 0 to below 1 (SplitMix64).
fn unit(seed: u64) -> f64 {
    let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_vary_within_the_jitter() {
        let pauses: Vec<Duration> = (0..1_000).map(|round| pause(SECOND, 0.1, 7, round)).collect();
        let (low, high) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*low >= SECOND.mul_f64(0.9) && *high <= SECOND.mul_f64(1.1), "{low:?} to {high:?}");
        assert!(*low < SECOND.mul_f64(0.91) && *high > SECOND.mul_f64(1.09), "{low:?} to {high:?}");
    }

    #[test]
    fn a_seed_repeats_its_pauses() {
        let pauses = |seed| (0..9).map(|round| pause(SECOND, 0.5, seed, round)).collect::<Vec<_>>();
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
        assert_ne!(seed_of(7, "db"), seed_of(7, "mail"));
    }

    #[test]
    fn without_jitter_intervals_are_exact() {
        assert_eq!(pause(SECOND, 0.0, 7, 3), SECOND);
        assert_eq!(first(SECOND, 0.0, 7), Duration::ZERO);
    }
}
