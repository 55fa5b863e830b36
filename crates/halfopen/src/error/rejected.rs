use crate::reason::RejectReason;
use crate::text::HumanDuration;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ref_cast::{RefCastCustom, ref_cast_custom};

use crate::clock::nanos;
use crate::reason::Cause;
use crate::text::Printable;

/// The error of a call that was rejected on the caller's side and never made: by a circuit breaker, a bulkhead or a
/// rate limit.
///
/// All these rejections share one type, so that [`rejection`](crate::rejection) finds each of them, an outer breaker
/// ignores each of them, and one mapping to HTTP or gRPC covers them. [`reason`](Self::reason) distinguishes
/// them.
///
/// Its [`source`](Error::source) is an error with the message "the call was not made". It exists
/// so that [`rejection`](crate::rejection) finds the rejection behind wrappers that hide their error and
/// return that error's source instead (`#[error(transparent)]`, `anyhow::Error::from_boxed`).
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, RejectReason};
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// breaker.open_for(Duration::from_secs(5));
///
/// let rejected = breaker.try_acquire().unwrap_err();
/// assert_eq!(rejected.name(), "payments");
/// assert_eq!(rejected.reason(), RejectReason::Open);
/// assert!(rejected.retry_after().unwrap() <= Duration::from_secs(5));
/// assert!(rejected.to_string().starts_with("circuit breaker `payments` is open (opened by hand); retry in "));
/// ```
#[derive(Clone, RefCastCustom)]
#[repr(transparent)]
pub struct Rejected(pub(super) NotMade);

/// The data of a rejection, and at the same time its own source.
#[derive(Clone)]
pub(crate) struct NotMade {
    name: Arc<str>,
    refusal: Refusal,
    /// Boxed inside the `Arc`, so that the pointer is one word instead of two.
    last_error: Option<Arc<Box<str>>>,
}

/// A rejection that has not been counted or returned to a caller yet; returned by
/// [`refusal`](crate::adapter::refusal).
///
/// An adapter keeps it until a call is made; [`reject`](crate::adapter::reject) then turns it into a
/// [`Rejected`].
// Whole words, so that they are loaded in the same sizes in which they were stored: a rejection is moved on its way
// to the caller, and a load that spans two stores is not forwarded but waits until both have reached the cache.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// In nanoseconds, or [`UNKNOWN`].
    retry_after: u64,
    /// The words of a [`Cause`], with the reason of the rejection in the top byte of the first.
    words: [u64; 2],
}

const UNKNOWN: u64 = u64::MAX;

const REASON_SHIFT: u32 = 56;
const SATURATED: u64 = 1;
const FORCED: u64 = 2;
const BULKHEAD_FULL: u64 = 3;
const RATE_LIMITED: u64 = 4;
const RAMP: u64 = 5;

impl Refusal {
    /// Creates the refusal of an open breaker: the rest of the wait in nanoseconds, and the packed cause.
    #[inline]
    pub(crate) fn open(remaining: u64, cause: [u64; 2]) -> Refusal {
        Refusal { retry_after: remaining, words: cause }
    }

    pub(crate) fn saturated() -> Refusal {
        Refusal { retry_after: UNKNOWN, words: [SATURATED << REASON_SHIFT, 0] }
    }

    pub(crate) fn in_ramp() -> Refusal {
        Refusal { retry_after: UNKNOWN, words: [RAMP << REASON_SHIFT, 0] }
    }

    pub(crate) fn forced() -> Refusal {
        Refusal { retry_after: UNKNOWN, words: [FORCED << REASON_SHIFT, 0] }
    }

    fn reason(self) -> RejectReason {
        match self.words[0] >> REASON_SHIFT {
            SATURATED => RejectReason::HalfOpenSaturated,
            RAMP => RejectReason::HalfOpenRamp,
            FORCED => RejectReason::ForcedOpen,
            BULKHEAD_FULL => RejectReason::BulkheadFull,
            RATE_LIMITED => RejectReason::RateLimited,
            _ => RejectReason::Open,
        }
    }

    /// Creates a refusal without further numbers.
    pub(crate) fn of(reason: RejectReason, retry_after: Option<Duration>) -> Refusal {
        let kind = match reason {
            RejectReason::Open => 0,
            RejectReason::HalfOpenSaturated => SATURATED,
            RejectReason::HalfOpenRamp => RAMP,
            RejectReason::ForcedOpen => FORCED,
            RejectReason::BulkheadFull => BULKHEAD_FULL,
            RejectReason::RateLimited => RATE_LIMITED,
        };
        let retry_after = retry_after.map_or(UNKNOWN, |wait| nanos(wait).min(UNKNOWN - 1));
        Refusal { retry_after, words: [kind << REASON_SHIFT, 0] }
    }
}

impl Rejected {
    #[inline]
    pub(crate) fn by_breaker(
        name: Arc<str>,
        refusal: Refusal,
        last_error: Option<Arc<Box<str>>>,
    ) -> Rejected {
        Rejected(NotMade { name, refusal, last_error })
    }

    /// Returns the rejection whose source this is.
    #[ref_cast_custom]
    pub(crate) fn of_source(source: &NotMade) -> &Rejected;

    /// Creates a rejection, for crates that reject calls themselves.
    ///
    /// `name` is the name of the breaker or limit. `retry_after` is the time for which calls are certain to be
    /// rejected, or [`None`] if it is not known; it is stored in nanoseconds, up to 584 years. An unknown time must be
    /// [`None`] instead of zero, because zero makes callers retry immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{RejectReason, Rejected};
    /// use std::time::Duration;
    ///
    /// let wait = Duration::from_millis(1200);
    /// let rejected = Rejected::new("create-task", RejectReason::RateLimited, Some(wait));
    /// assert_eq!(rejected.to_string(), "rate limit `create-task` is used up; retry in 1.2s");
    /// ```
    pub fn new(name: impl Into<Arc<str>>, reason: RejectReason, retry_after: Option<Duration>) -> Rejected {
        Rejected::by_breaker(name.into(), Refusal::of(reason, retry_after), None)
    }

    /// Creates the rejection of a full bulkhead with the numbers of its calls in flight and waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Rejected;
    ///
    /// let rejected = Rejected::bulkhead_full("ai", 20, 5);
    /// assert_eq!(rejected.to_string(), "bulkhead `ai` is full (20 calls in flight, 5 waiting)");
    /// ```
    pub fn bulkhead_full(name: impl Into<Arc<str>>, in_flight: u32, waiting: u32) -> Rejected {
        let figures = u64::from(in_flight) << 32 | u64::from(waiting);
        let refusal = Refusal { retry_after: UNKNOWN, words: [BULKHEAD_FULL << REASON_SHIFT, figures] };
        Rejected::by_breaker(name.into(), refusal, None)
    }

    /// Returns the name of the breaker, bulkhead or rate limit that rejected the call.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the reason of the rejection.
    pub fn reason(&self) -> RejectReason {
        self.0.refusal.reason()
    }

    /// Returns the time for which calls are certain to be rejected, or [`None`] if it is not known: for a
    /// half-open breaker whose probes are in flight or that admits a share of the calls, a breaker that is forced
    /// open, and a full bulkhead.
    pub fn retry_after(&self) -> Option<Duration> {
        let nanos = self.0.refusal.retry_after;
        (nanos != UNKNOWN).then(|| Duration::from_nanos(nanos))
    }

    /// Returns the description of the failure that opened the breaker
    /// ([`Classify::describe`](crate::Classify::describe)), or [`None`] if the classifier does not describe failures,
    /// the breaker opened for another reason, or something else rejected the call.
    ///
    /// The text has at most 256 characters and no control characters.
    pub fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_ref().map(|text| &***text)
    }

    /// Returns why an open breaker opened, or [`None`] for other rejections and for an unknown cause.
    fn cause(&self) -> Option<Cause> {
        let open = self.reason() == RejectReason::Open;
        let cause = Cause::from_words(self.0.refusal.words);
        (open && !cause.reasons.is_empty()).then_some(cause)
    }

    /// Returns the numbers of calls in flight and waiting of a full bulkhead, if they are known.
    fn occupancy(&self) -> Option<(u32, u32)> {
        let figures = self.0.refusal.words[1];
        let full = self.reason() == RejectReason::BulkheadFull && figures != 0;
        full.then_some(((figures >> 32) as u32, figures as u32))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Printable::new(self.name());
        match self.reason() {
            RejectReason::Open => {
                write!(f, "circuit breaker `{name}` is open")?;
                self.cause().map_or(Ok(()), |cause| write!(f, " ({cause})"))?;
            }
            RejectReason::HalfOpenSaturated => {
                write!(f, "circuit breaker `{name}` is half-open and all its probes are in flight")?;
            }
            RejectReason::HalfOpenRamp => {
                write!(f, "circuit breaker `{name}` is half-open and admits a growing share of the calls")?;
            }
            RejectReason::ForcedOpen => {
                write!(f, "circuit breaker `{name}` is forced open by an operator")?;
            }
            RejectReason::BulkheadFull => {
                write!(f, "bulkhead `{name}` is full")?;
                self.occupancy().map_or(Ok(()), |(in_flight, waiting)| {
                    let calls = if in_flight == 1 { "call" } else { "calls" };
                    write!(f, " ({in_flight} {calls} in flight, {waiting} waiting)")
                })?;
            }
            RejectReason::RateLimited => write!(f, "rate limit `{name}` is used up")?,
        }
        self.retry_after().map_or(Ok(()), |wait| write!(f, "; retry in {}", HumanDuration(wait)))
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Rejected");
        fields.field("name", &self.name());
        fields.field("reason", &self.reason());
        fields.field("retry_after", &self.retry_after());
        if let Some(cause) = self.cause() {
            fields.field("why", &format_args!("{cause}"));
        }
        if let Some(text) = self.last_error() {
            fields.field("last_error", &text);
        }
        if let Some((in_flight, waiting)) = self.occupancy() {
            fields.field("in_flight", &in_flight).field("waiting", &waiting);
        }
        fields.finish()
    }
}

impl Error for Rejected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

// Differs from the message of the rejection, so that a report of the whole chain repeats nothing.
impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call was not made")
    }
}

impl fmt::Debug for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotMade")
    }
}

impl Error for NotMade {}

#[cfg(feature = "serde")]
impl serde::Serialize for Rejected {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Rejected", 3)?;
        fields.serialize_field("name", self.name())?;
        fields.serialize_field("reason", &self.reason())?;
        fields.serialize_field("retry_after", &self.retry_after().map(|wait| wait.as_secs_f64()))?;
        fields.end()
    }
}

impl PartialEq for Rejected {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
            && self.reason() == other.reason()
            && self.retry_after() == other.retry_after()
    }
}

impl Eq for Rejected {}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error::CircuitBreakerError;
    use crate::reason::TripReason;

    fn rejected() -> Rejected {
        let cause = Cause::plain(TripReason::Manual).to_words();
        Rejected::by_breaker("api".into(), Refusal::open(4_200_000_000, cause), None)
    }

    #[test]
    fn a_rejection_shows_its_name_cause_and_wait() {
        assert_eq!(rejected().to_string(), "circuit breaker `api` is open (opened by hand); retry in 4.2s");
        assert_eq!(
            Rejected::by_breaker("api".into(), Refusal::saturated(), None).to_string(),
            "circuit breaker `api` is half-open and all its probes are in flight"
        );
        assert_eq!(
            Rejected::by_breaker("api".into(), Refusal::forced(), None).to_string(),
            "circuit breaker `api` is forced open by an operator"
        );
    }

    #[test]
    fn durations_have_at_most_two_units() {
        for (millis, text) in [
            (0, "0ms"),
            (350, "350ms"),
            (2000, "2s"),
            (4200, "4.2s"),
            (60_000, "1m"),
            (125_000, "2m 5s"),
            (7_200_000, "2h"),
            (7_260_000, "2h 1m"),
        ] {
            assert_eq!(HumanDuration(Duration::from_millis(millis)).to_string(), text);
        }
        assert_eq!(HumanDuration(Duration::from_micros(300)).to_string(), "300µs");
    }

    #[test]
    fn limits_have_their_own_messages() {
        let wait = Some(Duration::from_millis(1200));
        for (rejected, text) in [
            (Rejected::bulkhead_full("ai", 20, 5), "bulkhead `ai` is full (20 calls in flight, 5 waiting)"),
            (Rejected::bulkhead_full("ai", 1, 0), "bulkhead `ai` is full (1 call in flight, 0 waiting)"),
            (Rejected::new("ai", RejectReason::BulkheadFull, None), "bulkhead `ai` is full"),
            (
                Rejected::new("ai", RejectReason::RateLimited, wait),
                "rate limit `ai` is used up; retry in 1.2s",
            ),
            (Rejected::new("ai", RejectReason::RateLimited, None), "rate limit `ai` is used up"),
            (Rejected::new("ai", RejectReason::Open, wait), "circuit breaker `ai` is open; retry in 1.2s"),
            (Rejected::new("ai", RejectReason::Open, None), "circuit breaker `ai` is open"),
        ] {
            assert_eq!(rejected.to_string(), text);
        }
    }

    #[test]
    fn a_rejection_made_elsewhere_keeps_its_parts() {
        for reason in [
            RejectReason::Open,
            RejectReason::HalfOpenSaturated,
            RejectReason::HalfOpenRamp,
            RejectReason::ForcedOpen,
            RejectReason::BulkheadFull,
            RejectReason::RateLimited,
        ] {
            for wait in [None, Some(Duration::ZERO), Some(Duration::from_secs(3))] {
                let rejected = Rejected::new("api", reason, wait);
                let parts = (rejected.name(), rejected.reason(), rejected.retry_after());
                assert_eq!(parts, ("api", reason, wait));
            }
        }
        let longest = Rejected::new("api", RejectReason::RateLimited, Some(Duration::MAX)).retry_after();
        assert_eq!(longest, Some(Duration::from_nanos(UNKNOWN - 1)), "584 years, and known");
    }

    #[test]
    fn debug_shows_name_reason_wait_and_cause() {
        assert_eq!(
            format!("{:?}", rejected()),
            "Rejected { name: \"api\", reason: Open, retry_after: Some(4.2s), why: opened by hand }"
        );
        assert_eq!(
            format!("{:?}", Rejected::bulkhead_full("ai", 20, 5)),
            "Rejected { name: \"ai\", reason: BulkheadFull, retry_after: None, in_flight: 20, waiting: 5 }"
        );
    }

    #[test]
    fn a_rejected_call_shows_the_rejections_message() {
        let error = CircuitBreakerError::<io::Error>::from(rejected());
        assert_eq!(error.to_string(), rejected().to_string());
        assert_eq!(format!("{error:#}"), format!("{}: the call was not made", rejected()));
    }

    #[test]
    fn a_rejection_is_small() {
        assert!(size_of::<Rejected>() <= 48);
    }
}
