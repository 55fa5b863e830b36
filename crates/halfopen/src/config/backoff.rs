use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Problems, number};
use super::{duration, ratio};
use crate::clock::nanos;
use crate::random::{GAMMA, mixed};
use crate::word::Epoch;

/// The growth of the wait while a dependency stays down, and the jitter that keeps breakers from probing at the same
/// time.
///
/// There are four kinds: with [`none`](Self::none) each wait is `open_duration`, with
/// [`exponential`](Self::exponential) it grows with every opening, [`delays`](Self::delays) takes it from a list, and
/// [`with`](Self::with) calls a function. None has jitter unless it is set. The number of an opening counts from the
/// last visit to closed or, with [`forget_after`](Self::forget_after), from earlier.
///
/// # Examples
///
/// Waits of about 2, 4, 8, .. seconds, at most 30:
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

/// The argument of the function that computes a wait; see [`Backoff::with`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Opening {
    /// The number of earlier openings that are not forgotten: the step of the backoff, 0 for the first opening.
    pub openings: u32,
    /// The failure rate, from 0 to 1, of the calls (in half-open of the probes) on which the opening was decided;
    /// [`None`] without calls, and for a probe that did not report in time.
    pub failure_rate: Option<f64>,
    /// The wait for which the server asked, up to
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
    /// Each wait is the previous one times a factor.
    Exponential {
        /// The factor, from 1 to 1,000.
        multiplier: f64,
    },
    /// The waits are taken from a list, whose last entry repeats.
    Delays {
        /// The list, which has at least one entry.
        delays: &'a [Duration],
    },
    /// A function computes each wait.
    Custom,
}

/// The default limit of an exponential backoff.
const EXPONENTIAL_MAX: Duration = Duration::from_secs(60);

impl Backoff {
    /// Returns a backoff without growth: each wait is `open_duration`.
    pub fn none() -> Backoff {
        Backoff::of(Growth::Fixed)
    }

    /// Returns an exponential backoff: the first wait is `open_duration`, and each following one is `multiplier` times
    /// the previous one.
    ///
    /// `multiplier` is from 1 to 1,000. Without [`max`](Self::max) a wait is at most 60 s, or `open_duration` if that
    /// is longer.
    pub fn exponential(multiplier: f64) -> Backoff {
        Backoff::of(Growth::Exponential(multiplier))
    }

    /// Returns a backoff with a list of waits, which replace `open_duration`. The last wait repeats.
    ///
    /// The list must have at least one wait, and each must be longer than zero.
    pub fn delays(d: impl IntoIterator<Item = Duration>) -> Backoff {
        Backoff::of(Growth::Delays(d.into_iter().collect()))
    }

    /// Returns a backoff whose waits are computed by a function of the [`Opening`].
    ///
    /// [`max`](Self::max) and [`jitter`](Self::jitter) apply to the result, and a longer hint lengthens it. The
    /// function runs in the task whose call opens the breaker, without any lock of the breaker. It is also called
    /// if no opening follows: for each failure of a probe, and once in a half-open visit for a probe that
    /// might not report in time. It should therefore have no side effects, and it must not call a control
    /// such as `trip` of a breaker that uses it. A panic in it is caught and counted in
    /// [`Totals::panics`](crate::Totals::panics), and the wait is then `open_duration`.
    ///
    /// Two such backoffs are equal if one is a clone of the other. They cannot be serialized: the error of a
    /// configuration that contains one names `open.backoff`. The next wait is not known before the breaker opens, so
    /// until then [`Snapshot::open_duration`](crate::Snapshot::open_duration) is the configured one.
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

    /// Sets the maximum wait, jitter included. It must be longer than zero.
    ///
    /// It also limits `open_duration` and the delays of a list. A server's hint can lengthen a wait
    /// beyond it, up to [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max).
    pub fn max(self, limit: Duration) -> Backoff {
        Backoff { max: Some(limit), ..self }
    }

    /// Sets the jitter, from 0 to below 1: each wait is spread evenly from `1 - fraction` to `1 + fraction` of it.
    ///
    /// If the maximum wait cuts that range, waits are spread evenly over the remaining part, so
    /// that breakers at their maximum do not probe at the same time either.
    pub fn jitter(self, fraction: f64) -> Backoff {
        Backoff { jitter: fraction, ..self }
    }

    /// Sets the period in closed after which one opening is forgotten. By default all openings are forgotten as soon as
    /// the breaker closes. The period must be longer than zero.
    ///
    /// With it, the waits of a dependency that flaps between open and closed keep growing.
    pub fn forget_after(self, period: Duration) -> Backoff {
        Backoff { forget_after: Some(period), ..self }
    }

    /// Returns the kind of growth, with its numbers.
    pub fn kind(&self) -> BackoffKind<'_> {
        match &self.growth {
            Growth::Fixed => BackoffKind::Fixed,
            Growth::Exponential(multiplier) => BackoffKind::Exponential { multiplier: *multiplier },
            Growth::Delays(delays) => BackoffKind::Delays { delays },
            Growth::Custom(_) => BackoffKind::Custom,
        }
    }

    /// Returns the limit set by [`max`](Self::max), or [`None`] if there is none.
    pub fn limit(&self) -> Option<Duration> {
        self.max
    }

    /// Returns the fraction set by [`jitter`](Self::jitter), or 0 without jitter.
    pub fn jitter_fraction(&self) -> f64 {
        self.jitter
    }

    /// Returns the period set by [`forget_after`](Self::forget_after), or [`None`] if closing forgets all openings.
    pub fn forget_period(&self) -> Option<Duration> {
        self.forget_after
    }

    /// The backoff of a configuration that sets none.
    pub(super) const DEFAULT: Backoff =
        Backoff { growth: Growth::Fixed, max: None, jitter: 0.2, forget_after: None };

    fn of(growth: Growth) -> Backoff {
        Backoff { growth, max: None, jitter: 0.0, forget_after: None }
    }

    /// Returns the same with numbers that are rounded to nine decimals.
    pub(super) fn rounded(mut self) -> Backoff {
        if let Growth::Exponential(multiplier) = &mut self.growth {
            *multiplier = ratio::rounded(*multiplier);
        }
        self.jitter = ratio::rounded(self.jitter);
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

    /// Returns the user's own function, if there is one.
    pub(super) fn custom(&self) -> Option<&(dyn Fn(&Opening) -> Duration + Send + Sync)> {
        match &self.growth {
            Growth::Custom(custom) => Some(&*custom.0),
            Growth::Fixed | Growth::Exponential(_) | Growth::Delays(_) => None,
        }
    }

    /// Returns the wait at a step of the backoff, in nanoseconds: the same for every reader (S20).
    ///
    /// `planned` is the result of the user's own function, which is not called here.
    pub(super) fn wait(
        &self,
        open_duration: Duration,
        planned: Option<u64>,
        step: u32,
        seed: u64,
        epoch: Epoch,
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

/// Computes `first * multiplier^step`, saturating.
fn grown(first: u64, multiplier: f64, step: u32) -> u64 {
    let factor = power(multiplier, step);
    // Zero times infinity must stay zero, and a wait that does not grow must stay exact. Rounded to the nearest,
    // because 1.15 times 100 ms is slightly less than 115 ms in floating point.
    if first == 0 || factor == 1.0 { first } else { (first as f64 * factor).round() as u64 }
}

/// Computes a power by squaring.
// At most 64 multiplications for any step. Unlike `powi`, whose precision is not specified, the result is the same on
// every machine.
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

/// Maps `random` to a wait between `1 - jitter` and `1 + jitter` of `wait`, at most `limit`.
fn spread(wait: u64, jitter_ppb: u32, limit: u64, random: u64) -> u64 {
    let reach = (u128::from(wait) * u128::from(jitter_ppb) / 1_000_000_000) as u64;
    let (low, high) = (wait - reach, wait.saturating_add(reach).min(limit));
    let span = u128::from(high - low) + 1;
    low + ((span * u128::from(random)) >> 64) as u64
}

/// Returns well-mixed bits for an epoch of a breaker: output number `epoch` of the generator SplitMix64.
fn mix(seed: u64, epoch: Epoch) -> u64 {
    mixed(mixed(seed).wrapping_add(epoch.0.wrapping_mul(GAMMA)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waits(backoff: &Backoff, open: Duration, steps: &[u32]) -> Vec<u64> {
        steps.iter().map(|&step| backoff.wait(open, None, step, 7, Epoch(9)) / 1_000_000_000).collect()
    }

    #[test]
    fn a_fixed_wait_is_exactly_the_open_duration() {
        let odd = Duration::from_nanos((1 << 60) + 1);
        for step in [0, 1, u32::MAX] {
            assert_eq!(Backoff::none().wait(odd, None, step, 0, Epoch(0)), (1 << 60) + 1);
            assert_eq!(Backoff::exponential(1.0).wait(odd, None, step, 0, Epoch(0)), (1 << 60) + 1);
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
        let wait = Backoff::exponential(1.15).wait(Duration::from_millis(100), None, 1, 0, Epoch(0));
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
        assert_eq!(steep.wait(SECOND, None, u32::MAX, 0, Epoch(0)), u64::MAX);
        assert_eq!(steep.wait(Duration::ZERO, None, u32::MAX, 0, Epoch(0)), 0);
        assert_eq!(steep.wait(Duration::MAX, None, 3, 0, Epoch(0)), u64::MAX);
        let jittered = Backoff::none().jitter(0.999_999_999);
        for epoch in 0..100 {
            assert!(jittered.wait(Duration::MAX, None, 0, 3, Epoch(epoch)) > 0);
            assert_eq!(jittered.wait(Duration::ZERO, None, 0, 3, Epoch(epoch)), 0);
        }
    }

    #[test]
    fn jitter_fills_its_range_and_never_leaves_it() {
        let backoff = Backoff::none().jitter(0.2);
        let all: Vec<u64> =
            (0..1_000).map(|epoch| backoff.wait(10 * SECOND, None, 0, 1, Epoch(epoch))).collect();
        let (low, high) = (*all.iter().min().unwrap(), *all.iter().max().unwrap());
        assert!((8_000_000_000..8_050_000_000).contains(&low), "{low}");
        assert!((11_950_000_000..=12_000_000_000).contains(&high), "{high}");
    }

    #[test]
    fn jitter_at_the_limit_is_spread_below_it() {
        let backoff = Backoff::exponential(2.0).max(10 * SECOND).jitter(0.5);
        let all: Vec<u64> =
            (0..1_000).map(|epoch| backoff.wait(10 * SECOND, None, 4, 1, Epoch(epoch))).collect();
        assert!(all.iter().all(|wait| (5_000_000_000..=10_000_000_000).contains(wait)));
        assert!(all.iter().filter(|&&wait| wait == 10_000_000_000).count() < 3);
    }

    #[test]
    fn the_wait_of_a_function_is_bounded_and_spread() {
        let custom = Backoff::with(|_| SECOND);
        assert_eq!(custom.wait(9 * SECOND, Some(nanos(2 * SECOND)), 5, 0, Epoch(0)), nanos(2 * SECOND));
        assert_eq!(custom.wait(9 * SECOND, None, 5, 0, Epoch(0)), nanos(9 * SECOND));
        assert_eq!(custom.wait(SECOND, Some(u64::MAX), 5, 0, Epoch(0)), u64::MAX);
        let bounded = custom.clone().max(3 * SECOND);
        assert_eq!(bounded.wait(9 * SECOND, Some(nanos(8 * SECOND)), 0, 0, Epoch(0)), nanos(3 * SECOND));
        let spread = custom.jitter(0.5);
        let waits: Vec<_> =
            (0..50).map(|epoch| spread.wait(SECOND, Some(nanos(2 * SECOND)), 0, 1, Epoch(epoch))).collect();
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
        let wait = |seed, epoch| backoff.wait(10 * SECOND, None, 0, seed, Epoch(epoch));
        assert_eq!(wait(1, 1), wait(1, 1));
        assert_ne!(wait(1, 1), wait(2, 1));
        assert_ne!(wait(1, 1), wait(1, 2));
    }
}
