use std::time::Duration;

use super::error::Problems;
use crate::clock::nanos;

/// How the wait grows when a breaker opens again and again.
///
/// Without jitter unless [`jitter`](Self::jitter) is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    pub(super) growth: Growth,
    pub(super) max: Option<Duration>,
    pub(super) jitter: f64,
    pub(super) forget_after: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Growth {
    None,
    Exponential(f64),
    Delays(Vec<Duration>),
}

/// The longest exponential wait if nobody says otherwise.
const MAX: Duration = Duration::from_secs(60);

impl Backoff {
    /// The same wait every time.
    pub fn none() -> Backoff {
        Backoff::of(Growth::None)
    }

    /// Each wait is so many times the one before: from 1 to 1,000. At most
    /// [`max`](Self::max): 60 s, or `open_duration` if that is longer.
    pub fn exponential(multiplier: f64) -> Backoff {
        Backoff::of(Growth::Exponential(multiplier))
    }

    /// These waits in turn, in place of `open_duration`; the last one repeats. At least one.
    pub fn delays(d: impl IntoIterator<Item = Duration>) -> Backoff {
        Backoff::of(Growth::Delays(d.into_iter().collect()))
    }

    fn of(growth: Growth) -> Backoff {
        Backoff { growth, max: None, jitter: 0.0, forget_after: None }
    }

    /// No wait is longer than this, jitter included: longer than 0. A hint of the other side may be.
    pub fn max(self, limit: Duration) -> Backoff {
        Backoff { max: Some(limit), ..self }
    }

    /// Every wait is multiplied by a factor within `1 - fraction` and `1 + fraction`: from 0 to 1.
    ///
    /// The factor follows from the breaker's seed and the opening, so all breakers of a fleet spread.
    pub fn jitter(self, fraction: f64) -> Backoff {
        Backoff { jitter: fraction, ..self }
    }

    /// Closing does not forget the openings before; each such period spent closed forgets one.
    ///
    /// Without this, closing forgets them all. Longer than 0.
    pub fn forget_after(self, period: Duration) -> Backoff {
        Backoff { forget_after: Some(period), ..self }
    }

    /// What each wait is multiplied by: 1 for a fixed wait; none for delays.
    pub fn multiplier(&self) -> Option<f64> {
        match self.growth {
            Growth::None => Some(1.0),
            Growth::Exponential(multiplier) => Some(multiplier),
            Growth::Delays(_) => None,
        }
    }

    /// The waits in turn, if they were given one by one.
    pub fn each_delay(&self) -> Option<&[Duration]> {
        match &self.growth {
            Growth::Delays(delays) => Some(delays),
            Growth::None | Growth::Exponential(_) => None,
        }
    }

    /// The limit that was written, if one was.
    pub fn limit(&self) -> Option<Duration> {
        self.max
    }

    /// The fraction of the jitter.
    pub fn jitter_fraction(&self) -> f64 {
        self.jitter
    }

    /// The period that forgets one opening.
    pub fn forgets_after(&self) -> Option<Duration> {
        self.forget_after
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        match &self.growth {
            Growth::None => {}
            Growth::Exponential(multiplier) if (1.0..=1_000.0).contains(multiplier) => {}
            Growth::Exponential(multiplier) => {
                problems.add("backoff.exponential", multiplier, "must be from 1 to 1000");
            }
            Growth::Delays(delays) => {
                if delays.is_empty() {
                    problems.add("backoff.delays", "empty", "must hold at least one wait");
                }
                delays.iter().for_each(|&delay| problems.duration("backoff.delays", delay));
            }
        }
        if let Some(max) = self.max {
            problems.duration("backoff.max", max);
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            problems.add("backoff.jitter", self.jitter, "must be from 0 to 1");
        }
        if let Some(period) = self.forget_after {
            problems.duration("backoff.forget_after", period);
        }
    }

    /// The wait of the opening with this many openings before it, in nanoseconds (S20).
    pub(super) fn wait(&self, open_duration: Duration, step: u32, seed: u64, epoch: u64) -> u64 {
        let base = nanos(open_duration);
        let plain = match &self.growth {
            Growth::None => base,
            Growth::Exponential(multiplier) => grown(base, *multiplier, step),
            Growth::Delays(delays) => {
                let place = usize::try_from(step).unwrap_or(usize::MAX).min(delays.len().saturating_sub(1));
                delays.get(place).copied().map_or(base, nanos)
            }
        };
        let limit = match (&self.growth, self.max) {
            (_, Some(max)) => nanos(max),
            (Growth::Exponential(_), None) => nanos(MAX).max(base),
            (Growth::None | Growth::Delays(_), None) => u64::MAX,
        };
        let plain = plain.min(limit);
        if self.jitter == 0.0 {
            return plain;
        }
        // As a float only here: a jittered wait needs no exact nanosecond.
        ((plain as f64 * (1.0 + self.jitter * spread(seed, epoch))) as u64).min(limit)
    }
}

/// `base * multiplier^step`, exact for whole products that a float holds, and saturating.
fn grown(base: u64, multiplier: f64, step: u32) -> u64 {
    let mut wait = base as f64;
    for _ in 0..step {
        if wait >= u64::MAX as f64 || multiplier == 1.0 {
            break;
        }
        wait *= multiplier;
    }
    // `as` saturates; a base that is not rounded on the way stays what it was.
    if wait == base as f64 { base } else { wait as u64 }
}

/// A number from -1 to 1 that follows from the breaker and the opening: SplitMix64 (Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators", 2014), its upper 53 bits as a fraction.
fn spread(seed: u64, epoch: u64) -> f64 {
    let mut mixed = seed.wrapping_add(epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64 * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn wait(backoff: &Backoff, step: u32) -> u64 {
        backoff.wait(Duration::from_secs(1), step, 1, u64::from(step))
    }

    #[test]
    fn an_exponential_wait_grows_up_to_its_limit() {
        let backoff = Backoff::exponential(2.0).max(Duration::from_secs(5));
        assert_eq!(
            [0, 1, 2, 3, 90, u32::MAX].map(|step| wait(&backoff, step)),
            [1, 2, 4, 5, 5, 5].map(|s| s * SECOND)
        );
    }

    #[test]
    fn an_exponential_wait_without_limit_stops_at_a_minute_or_its_first() {
        assert_eq!(wait(&Backoff::exponential(1_000.0), 9), 60 * SECOND);
        let long = Backoff::exponential(3.0).wait(Duration::from_secs(100), 4, 0, 0);
        assert_eq!(long, 100 * SECOND);
    }

    #[test]
    fn the_last_delay_repeats() {
        let backoff = Backoff::delays([1, 5, 3].map(Duration::from_secs));
        assert_eq!([0, 1, 2, 3, 4].map(|step| wait(&backoff, step)), [1, 5, 3, 3, 3].map(|s| s * SECOND));
    }

    #[test]
    fn jitter_stays_within_its_fraction_and_below_the_limit() {
        let free = Backoff::none().jitter(0.2);
        let capped = Backoff::none().jitter(1.0).max(Duration::from_secs(1));
        for epoch in 0..1_000 {
            let wait = free.wait(Duration::from_secs(1), 0, 7, epoch);
            assert!((800_000_000..=1_200_000_000).contains(&wait));
            assert!(capped.wait(Duration::from_secs(1), 0, 7, epoch) <= SECOND);
        }
        assert_ne!(free.wait(Duration::from_secs(1), 0, 7, 1), free.wait(Duration::from_secs(1), 0, 8, 1));
    }

    #[test]
    fn the_longest_wait_saturates() {
        assert_eq!(Backoff::none().wait(Duration::MAX, 0, 0, 0), u64::MAX);
        assert_eq!(Backoff::exponential(2.0).max(Duration::MAX).wait(Duration::MAX, 9, 0, 0), u64::MAX);
    }
}
