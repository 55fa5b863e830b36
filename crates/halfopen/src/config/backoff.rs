use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Problems, number};
use super::{duration, ratio};
use crate::clock::nanos;

/// How the wait grows while a dependency stays down, and how breakers are kept from asking at once.
///
/// Four ways: [`none`](Self::none) waits `open_duration` each time, [`exponential`](Self::exponential)
/// longer with every opening, [`delays`](Self::delays) goes down a list, and [`with`](Self::with) calls a
/// function. All start without jitter. Which opening it is counts from the last visit to closed, or with
/// [`forget_after`](Self::forget_after) longer back.
///
/// # Examples
///
/// Waits of about 2, 4, 8, .. seconds, 30 at most:
///
/// ```
/// use halfopen::{Backoff, CircuitBreakerConfig};
/// use std::time::Duration;
///
/// let config = CircuitBreakerConfig::builder()
///     .open_duration(Duration::from_secs(2))
///     .backoff(Backoff::exponential(2.0).max(Duration::from_secs(30)).jitter(0.2))
///     .build()?;
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "super::document::Backoff"))]
pub struct Backoff {
    growth: Growth,
    max: Option<Duration>,
    jitter: f64,
    forget_after: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
enum Growth {
    Fixed,
    Exponential(f64),
    Delays(Vec<Duration>),
    Custom(Custom),
}

/// The user's own function.
#[derive(Clone)]
struct Custom(Arc<dyn Fn(&Opening) -> Duration + Send + Sync>);

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fn(&Opening) -> Duration")
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Custom) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// An opening whose wait a function decides; see [`Backoff::with`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Opening {
    /// The openings before this one that are not forgotten: the step of the backoff, 0 for the first.
    pub openings: u32,
    /// The rate of failures, from 0 to 1, among the calls (in half-open the probes) that the decision to open
    /// is made on; [`None`] without calls, and where a probe does not report in time.
    pub failure_rate: Option<f64>,
    /// The wait that the server asked for, up to
    /// [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max).
    pub hint: Option<Duration>,
    /// The configured [`open_duration`](crate::CircuitBreakerConfigBuilder::open_duration).
    pub open_duration: Duration,
}

/// How the waits of a [`Backoff`] follow one another.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum BackoffKind<'a> {
    /// Each wait is `open_duration`.
    Fixed,
    /// Each wait is the one before times a factor.
    Exponential {
        /// The factor, from 1 to 1,000.
        multiplier: f64,
    },
    /// The waits are listed; the last repeats.
    Delays {
        /// At least one.
        delays: &'a [Duration],
    },
    /// A function returns each wait.
    Custom,
}

/// The limit of an exponential backoff that names none.
const EXPONENTIAL_MAX: Duration = Duration::from_secs(60);

impl Backoff {
    /// Each wait is `open_duration`.
    pub fn none() -> Backoff {
        Backoff::of(Growth::Fixed)
    }

    /// The first wait is `open_duration`, each following one `multiplier` times the one before; the
    /// multiplier is from 1 to 1,000.
    ///
    /// Without [`max`](Self::max) a wait is at most 60 s, or `open_duration` if that is longer.
    pub fn exponential(multiplier: f64) -> Backoff {
        Backoff::of(Growth::Exponential(multiplier))
    }

    /// The waits one after the other, in place of `open_duration`; the last repeats.
    ///
    /// At least one, each longer than zero.
    pub fn delays(d: impl IntoIterator<Item = Duration>) -> Backoff {
        Backoff::of(Growth::Delays(d.into_iter().collect()))
    }

    /// Each wait is what the function returns for its [`Opening`].
    ///
    /// [`max`](Self::max) and [`jitter`](Self::jitter) apply to it, and a hint that is longer lengthens it. The
    /// function runs in the task whose call opens the breaker, under no lock of the breaker. It is also called
    /// where no opening follows: for each failure of a probe, and once in a half-open visit for a probe that
    /// may not report in time; so it should return a wait and do nothing else, and it must not call a control
    /// such as `trip` of a breaker that has it. If it panics, the panic is caught and counted in
    /// [`Totals::panics`](crate::Totals::panics), and the wait is `open_duration`.
    ///
    /// Two such backoffs are equal if one is a clone of the other. No document can hold one: a configuration
    /// with it fails to serialize, with an error that names `open.backoff`. Until the breaker opens the next
    /// wait is not known, and [`Snapshot::open_duration`](crate::Snapshot::open_duration) is the configured one.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{Backoff, CircuitBreaker, CircuitBreakerConfig, Trip};
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff::with(|opening| match opening.failure_rate {
    ///     Some(rate) if rate < 0.8 => opening.open_duration,
    ///     _ => opening.open_duration * 10,
    /// });
    /// let config = CircuitBreakerConfig::builder()
    ///     .trip(Trip::consecutive_failures(1))
    ///     .open_duration(Duration::from_secs(1))
    ///     .backoff(backoff)
    ///     .build()?;
    /// let breaker = CircuitBreaker::new("payments", config);
    ///
    /// breaker.try_acquire().unwrap().failure();
    /// assert_eq!(breaker.snapshot().open_duration, Duration::from_secs(10));
    /// # Ok::<(), halfopen::ConfigError>(())
    /// ```
    pub fn with(wait: impl Fn(&Opening) -> Duration + Send + Sync + 'static) -> Backoff {
        Backoff::of(Growth::Custom(Custom(Arc::new(wait))))
    }

    /// No wait of this backoff is longer, with or without jitter; longer than zero.
    ///
    /// It also caps an `open_duration` and a delay that are longer. A server's hint may make a wait
    /// longer still, up to [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max).
    pub fn max(self, limit: Duration) -> Backoff {
        Backoff { max: Some(limit), ..self }
    }

    /// Spreads each wait evenly within `1 - fraction` to `1 + fraction` of it; from 0 to below 1.
    ///
    /// Where the upper part lies above the longest wait, the rest is spread over what lies below, so
    /// that breakers at their limit still do not ask at once.
    pub fn jitter(self, fraction: f64) -> Backoff {
        Backoff { jitter: fraction, ..self }
    }

    /// Closing forgets one opening for each `period` spent closed, and not all of them at once; the
    /// period is longer than zero.
    ///
    /// A dependency that flaps through closed so goes on climbing.
    pub fn forget_after(self, period: Duration) -> Backoff {
        Backoff { forget_after: Some(period), ..self }
    }

    /// How the waits follow one another.
    pub fn kind(&self) -> BackoffKind<'_> {
        match &self.growth {
            Growth::Fixed => BackoffKind::Fixed,
            Growth::Exponential(multiplier) => BackoffKind::Exponential { multiplier: *multiplier },
            Growth::Delays(delays) => BackoffKind::Delays { delays },
            Growth::Custom(_) => BackoffKind::Custom,
        }
    }

    /// The limit set by [`max`](Self::max).
    pub fn limit(&self) -> Option<Duration> {
        self.max
    }

    /// The fraction set by [`jitter`](Self::jitter); 0 for none.
    pub fn jitter_fraction(&self) -> f64 {
        self.jitter
    }

    /// The period set by [`forget_after`](Self::forget_after); none if closing forgets everything.
    pub fn forget_period(&self) -> Option<Duration> {
        self.forget_after
    }

    fn of(growth: Growth) -> Backoff {
        Backoff { growth, max: None, jitter: 0.0, forget_after: None }
    }

    /// The same, with the numbers to nine decimals.
    pub(super) fn held(mut self) -> Backoff {
        if let Growth::Exponential(multiplier) = &mut self.growth {
            *multiplier = ratio::held(*multiplier);
        }
        self.jitter = ratio::held(self.jitter);
        self
    }

    pub(super) fn judge(&self, problems: &mut Problems) {
        match &self.growth {
            Growth::Fixed | Growth::Custom(_) => {}
            Growth::Exponential(multiplier) => {
                if !(1.0..=1_000.0).contains(multiplier) {
                    problems.add("backoff.multiplier", number(*multiplier), "from 1 to 1000");
                }
            }
            Growth::Delays(delays) if delays.is_empty() => {
                problems.add("backoff.delays", "empty", "a list of one delay or more");
            }
            Growth::Delays(delays) => {
                if let Some(place) = delays.iter().position(Duration::is_zero) {
                    let value = format_args!("{} at place {}", duration::print(delays[place]), place + 1);
                    problems.add("backoff.delays", value, "longer than 0s everywhere");
                }
            }
        }
        if let Some(max) = self.max {
            problems.above_zero("backoff.max", max);
        }
        if !(0.0..1.0).contains(&self.jitter) {
            problems.add("backoff.jitter", number(self.jitter), "from 0 to below 1");
        }
        if let Some(period) = self.forget_after {
            problems.above_zero("backoff.forget_after", period);
        }
    }

    /// The user's own function, if there is one.
    pub(super) fn custom(&self) -> Option<&(dyn Fn(&Opening) -> Duration + Send + Sync)> {
        match &self.growth {
            Growth::Custom(custom) => Some(&*custom.0),
            Growth::Fixed | Growth::Exponential(_) | Growth::Delays(_) => None,
        }
    }

    /// The nanoseconds to wait at a step of the backoff: the same for every reader (S20).
    ///
    /// `planned` is the answer of the user's own function, which does not run here.
    pub(super) fn wait(
        &self,
        open_duration: Duration,
        planned: Option<u64>,
        step: u32,
        seed: u64,
        epoch: u64,
    ) -> u64 {
        let limit = self.longest(open_duration);
        let planned = match &self.growth {
            Growth::Fixed => nanos(open_duration),
            Growth::Exponential(multiplier) => grown(nanos(open_duration), *multiplier, step),
            Growth::Delays(delays) => nanos(delays[(step as usize).min(delays.len() - 1)]),
            Growth::Custom(_) => planned.unwrap_or(nanos(open_duration)),
        };
        let planned = planned.min(limit);
        match ratio::parts_per_billion(self.jitter) {
            0 => planned,
            jitter => spread(planned, jitter, limit, mix(seed, epoch)),
        }
    }

    fn longest(&self, open_duration: Duration) -> u64 {
        match (self.max, &self.growth) {
            (Some(max), _) => nanos(max),
            (None, Growth::Exponential(_)) => nanos(EXPONENTIAL_MAX.max(open_duration)),
            (None, Growth::Fixed | Growth::Delays(_) | Growth::Custom(_)) => u64::MAX,
        }
    }
}

/// `first * multiplier^step`, at most what fits.
fn grown(first: u64, multiplier: f64, step: u32) -> u64 {
    let factor = power(multiplier, step);
    // A zero wait stays zero, also times infinity, and a wait that does not grow stays exact. To the
    // nearest: 1.15 times 100 ms lies a hair below 115 ms.
    if first == 0 || factor == 1.0 { first } else { (first as f64 * factor).round() as u64 }
}

/// By squaring, so that a step of any height takes 32 multiplications, and with plain ones only, so
/// that every machine computes the same.
fn power(base: f64, mut exponent: u32) -> f64 {
    let (mut result, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    result
}

/// A point between `1 - jitter` and `1 + jitter` of the wait, or the limit; `random` says where.
fn spread(wait: u64, jitter_ppb: u32, limit: u64, random: u64) -> u64 {
    let reach = (u128::from(wait) * u128::from(jitter_ppb) / 1_000_000_000) as u64;
    let (low, high) = (wait - reach, wait.saturating_add(reach).min(limit));
    let span = u128::from(high - low) + 1;
    low + ((span * u128::from(random)) >> 64) as u64
}

/// Well-mixed bits for an epoch of a breaker: the generator SplitMix64, entered at the epoch.
fn mix(seed: u64, epoch: u64) -> u64 {
    finish(finish(seed).wrapping_add(epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn finish(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waits(backoff: &Backoff, open: Duration, steps: &[u32]) -> Vec<u64> {
        steps.iter().map(|&step| backoff.wait(open, None, step, 7, 9) / 1_000_000_000).collect()
    }

    #[test]
    fn a_fixed_wait_is_the_open_duration_to_the_nanosecond() {
        let odd = Duration::from_nanos((1 << 60) + 1);
        for step in [0, 1, u32::MAX] {
            assert_eq!(Backoff::none().wait(odd, None, step, 0, 0), (1 << 60) + 1);
            assert_eq!(Backoff::exponential(1.0).wait(odd, None, step, 0, 0), (1 << 60) + 1);
        }
    }

    #[test]
    fn an_exponential_wait_grows_to_its_limit() {
        let five = 5 * SECOND;
        assert_eq!(waits(&Backoff::exponential(2.0), five, &[0, 1, 2, 3, 4, 99]), [5, 10, 20, 40, 60, 60]);
        let bounded = Backoff::exponential(3.0).max(10 * SECOND);
        assert_eq!(waits(&bounded, SECOND, &[0, 1, 2, 3]), [1, 3, 9, 10]);
        assert_eq!(waits(&Backoff::exponential(2.0), 90 * SECOND, &[0, 1]), [90, 90]);
    }

    #[test]
    fn a_grown_wait_is_to_the_nearest_nanosecond() {
        let wait = Backoff::exponential(1.15).wait(Duration::from_millis(100), None, 1, 0, 0);
        assert_eq!(wait, 115_000_000);
    }

    #[test]
    fn a_limit_below_the_open_duration_caps_it() {
        let bounded = Backoff::none().max(10 * SECOND).jitter(0.5);
        assert!((5..=10).contains(&waits(&bounded, 30 * SECOND, &[0])[0]));
    }

    #[test]
    fn the_last_delay_repeats() {
        let listed = Backoff::delays([1, 5, 9].map(Duration::from_secs));
        assert_eq!(waits(&listed, SECOND, &[0, 1, 2, 3, u32::MAX]), [1, 5, 9, 9, 9]);
    }

    #[test]
    fn no_number_overflows() {
        let steep = Backoff::exponential(1_000.0).max(Duration::MAX);
        assert_eq!(steep.wait(SECOND, None, u32::MAX, 0, 0), u64::MAX);
        assert_eq!(steep.wait(Duration::ZERO, None, u32::MAX, 0, 0), 0);
        assert_eq!(steep.wait(Duration::MAX, None, 3, 0, 0), u64::MAX);
        let jittered = Backoff::none().jitter(0.999_999_999);
        for epoch in 0..100 {
            assert!(jittered.wait(Duration::MAX, None, 0, 3, epoch) > 0);
            assert_eq!(jittered.wait(Duration::ZERO, None, 0, 3, epoch), 0);
        }
    }

    #[test]
    fn jitter_fills_its_range_and_never_leaves_it() {
        let backoff = Backoff::none().jitter(0.2);
        let all: Vec<u64> = (0..1_000).map(|epoch| backoff.wait(10 * SECOND, None, 0, 1, epoch)).collect();
        let (low, high) = (*all.iter().min().unwrap(), *all.iter().max().unwrap());
        assert!((8_000_000_000..8_050_000_000).contains(&low), "{low}");
        assert!((11_950_000_000..=12_000_000_000).contains(&high), "{high}");
    }

    #[test]
    fn jitter_at_the_limit_stays_below_it_and_stays_spread() {
        let backoff = Backoff::exponential(2.0).max(10 * SECOND).jitter(0.5);
        let all: Vec<u64> = (0..1_000).map(|epoch| backoff.wait(10 * SECOND, None, 4, 1, epoch)).collect();
        assert!(all.iter().all(|wait| (5_000_000_000..=10_000_000_000).contains(wait)));
        assert!(all.iter().filter(|&&wait| wait == 10_000_000_000).count() < 3);
    }

    #[test]
    fn a_wait_that_a_function_returns_is_bounded_and_spread_like_others() {
        let custom = Backoff::with(|_| SECOND);
        assert_eq!(custom.wait(9 * SECOND, Some(nanos(2 * SECOND)), 5, 0, 0), nanos(2 * SECOND));
        assert_eq!(custom.wait(9 * SECOND, None, 5, 0, 0), nanos(9 * SECOND));
        assert_eq!(custom.wait(SECOND, Some(u64::MAX), 5, 0, 0), u64::MAX);
        let bounded = custom.clone().max(3 * SECOND);
        assert_eq!(bounded.wait(9 * SECOND, Some(nanos(8 * SECOND)), 0, 0, 0), nanos(3 * SECOND));
        let spread = custom.jitter(0.5);
        let waits: Vec<_> =
            (0..50).map(|epoch| spread.wait(SECOND, Some(nanos(2 * SECOND)), 0, 1, epoch)).collect();
        assert!(waits.iter().all(|wait| (nanos(SECOND)..=nanos(3 * SECOND)).contains(wait)), "{waits:?}");
        assert_ne!(waits[0], waits[1]);
    }

    #[test]
    fn a_custom_backoff_equals_its_clones_alone() {
        let one = Backoff::with(|_| SECOND);
        assert_eq!(one, one.clone());
        assert_ne!(one, Backoff::with(|_| SECOND));
        assert_eq!(one.kind(), BackoffKind::Custom);
    }

    #[test]
    fn jitter_follows_from_the_seed_and_the_epoch() {
        let backoff = Backoff::none().jitter(0.2);
        let wait = |seed, epoch| backoff.wait(10 * SECOND, None, 0, seed, epoch);
        assert_eq!(wait(1, 1), wait(1, 1));
        assert_ne!(wait(1, 1), wait(2, 1));
        assert_ne!(wait(1, 1), wait(1, 2));
    }
}
