use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::printable::Printable;
use crate::state::Cause;

/// A boxed error that can cross threads, as tower and most clients pass them.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The breaker said no: the call was not made.
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
#[derive(Clone, Debug)]
pub struct Rejected {
    name: Arc<str>,
    refusal: Refusal,
}

/// A no that no call has been given yet: what [`CircuitBreaker::refusal`](crate::CircuitBreaker::refusal) says.
///
/// All of a [`Rejected`] but the name of the breaker; an adapter keeps it until a call is made, and then has
/// [`CircuitBreaker::reject`](crate::CircuitBreaker::reject) make a rejection of it.
// Whole words, so that what was just written is read back in the pieces it was written in: a rejection is
// moved on its way to the caller, and a load that spans two stores waits until both have reached the cache.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// Nanoseconds; [`UNKNOWN`] where nobody knows.
    retry_after: u64,
    /// The words of a [`Cause`], and in the top byte of the first the reason.
    words: [u64; 2],
}

const UNKNOWN: u64 = u64::MAX;

const REASON_SHIFT: u32 = 56;
const SATURATED: u64 = 1;
const FORCED: u64 = 2;

/// Why the breaker said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RejectReason {
    /// It is open and the wait is not over.
    Open,
    /// It is half-open and all the probes it allows are out.
    HalfOpenSaturated,
    /// An operator has forced it open.
    ForcedOpen,
}

impl RejectReason {
    /// The reason's name in documents and labels: `open`, `half_open_saturated`, `forced_open`.
    pub fn as_str(self) -> &'static str {
        match self {
            RejectReason::Open => "open",
            RejectReason::HalfOpenSaturated => "half_open_saturated",
            RejectReason::ForcedOpen => "forced_open",
        }
    }
}

impl Refusal {
    /// Open for so many nanoseconds, for a cause in words.
    #[inline]
    pub(crate) fn open(left: u64, cause: [u64; 2]) -> Refusal {
        Refusal { retry_after: left.min(UNKNOWN - 1), words: cause }
    }

    pub(crate) fn saturated() -> Refusal {
        Refusal { retry_after: UNKNOWN, words: [SATURATED << REASON_SHIFT, 0] }
    }

    pub(crate) fn forced() -> Refusal {
        Refusal { retry_after: UNKNOWN, words: [FORCED << REASON_SHIFT, 0] }
    }

    fn reason(self) -> RejectReason {
        match self.words[0] >> REASON_SHIFT {
            SATURATED => RejectReason::HalfOpenSaturated,
            FORCED => RejectReason::ForcedOpen,
            _ => RejectReason::Open,
        }
    }
}

impl Rejected {
    #[inline]
    pub(crate) fn new(name: Arc<str>, refusal: Refusal) -> Rejected {
        Rejected { name, refusal }
    }

    /// The name of the breaker that said no.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it said no.
    pub fn reason(&self) -> RejectReason {
        self.refusal.reason()
    }

    /// How long the breaker stays open for sure; none where nobody knows (a half-open breaker whose
    /// probes are out, a forced-open one).
    pub fn retry_after(&self) -> Option<Duration> {
        let nanos = self.refusal.retry_after;
        (nanos != UNKNOWN).then(|| Duration::from_nanos(nanos))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Printable::new(&self.name);
        match self.reason() {
            RejectReason::Open => {
                let left = Brief(self.retry_after().unwrap_or_default());
                write!(
                    f,
                    "circuit breaker `{name}` is open ({}); retry in {left}",
                    Cause::from_words(self.refusal.words)
                )
            }
            RejectReason::HalfOpenSaturated => {
                write!(f, "circuit breaker `{name}` is half-open and waits for the probes it has sent")
            }
            RejectReason::ForcedOpen => write!(f, "circuit breaker `{name}` is forced open by an operator"),
        }
    }
}

impl Error for Rejected {}

#[cfg(feature = "serde")]
impl serde::Serialize for Rejected {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Rejected", 3)?;
        fields.serialize_field("name", &*self.name)?;
        fields.serialize_field("reason", &self.reason())?;
        fields.serialize_field("retry_after", &self.retry_after().map(|left| left.as_secs_f64()))?;
        fields.end()
    }
}

/// A duration as a person says it: "4.2s", "350ms", "2m 5s".
pub(crate) struct Brief(pub(crate) Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = self.0;
        let seconds = duration.as_secs();
        if duration < Duration::from_millis(1) && !duration.is_zero() {
            return write!(f, "{duration:.0?}");
        }
        match seconds {
            0 => write!(f, "{}ms", duration.as_millis()),
            1..60 if duration.subsec_millis() < 50 => write!(f, "{seconds}s"),
            1..60 => write!(f, "{:.1}s", duration.as_secs_f64()),
            60..3600 if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            60..3600 => write!(f, "{}m {}s", seconds / 60, seconds % 60),
            _ if seconds / 60 % 60 == 0 => write!(f, "{}h", seconds / 3600),
            _ => write!(f, "{}h {}m", seconds / 3600, seconds / 60 % 60),
        }
    }
}

/// How deep an error is searched; a chain longer than this is taken for a circle.
const DEPTH: usize = 64;

/// Finds the [`Rejected`] in an error, if a breaker's rejection is what it is about.
///
/// Looks at the error itself, along its `source()` chain, and on the way inside `io::Error`, boxed
/// and reference-counted errors. Call it with `&*boxed` or `error.as_ref()`.
///
/// # Examples
///
/// ```
/// use halfopen::{BoxError, CircuitBreaker};
/// use std::io;
///
/// let breaker = CircuitBreaker::builder("search").build();
/// breaker.force_open();
/// let rejected = breaker.try_acquire().unwrap_err();
///
/// let wrapped: BoxError = Box::new(io::Error::new(io::ErrorKind::ConnectionRefused, rejected));
/// assert_eq!(halfopen::rejection(&*wrapped).unwrap().name(), "search");
/// ```
pub fn rejection<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Rejected> {
    search(error, DEPTH)
}

fn search<'a>(error: &'a (dyn Error + 'static), depth: usize) -> Option<&'a Rejected> {
    let depth = depth.checked_sub(1)?;
    if let Some(rejected) = as_rejected(error) {
        return Some(rejected);
    }
    // These hide their payload from `source()`.
    let hidden: Option<&'a (dyn Error + 'static)> = if let Some(io) = error.downcast_ref::<io::Error>() {
        io.get_ref().map(|payload| payload as &(dyn Error + 'static))
    } else if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        Some(&**shared)
    } else if let Some(shared) = error.downcast_ref::<Arc<dyn Error>>() {
        Some(&**shared)
    } else {
        None
    };
    hidden.and_then(|payload| search(payload, depth)).or_else(|| search(error.source()?, depth))
}

fn as_rejected<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Rejected> {
    error
        .downcast_ref::<Rejected>()
        .or_else(|| error.downcast_ref::<Arc<Rejected>>().map(|shared| &**shared))
        .or_else(|| error.downcast_ref::<Box<Rejected>>().map(|boxed| &**boxed))
}

/// What a protected call can fail with: the breaker's no, or the call's own error.
///
/// Its `Display` says only which of the two; the part itself is the `source()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CircuitBreakerError<E> {
    /// The breaker said no; the call was not made.
    Rejected(Rejected),
    /// The call was made and failed.
    Inner(E),
}

impl PartialEq for Rejected {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.reason() == other.reason()
            && self.retry_after() == other.retry_after()
    }
}

impl Eq for Rejected {}

impl<E> CircuitBreakerError<E> {
    /// The call's own error; none if the call was not made.
    pub fn into_inner(self) -> Option<E> {
        match self {
            CircuitBreakerError::Inner(error) => Some(error),
            CircuitBreakerError::Rejected(_) => None,
        }
    }

    /// The rejection; none if the call was made.
    pub fn rejected(&self) -> Option<&Rejected> {
        match self {
            CircuitBreakerError::Rejected(rejected) => Some(rejected),
            CircuitBreakerError::Inner(_) => None,
        }
    }

    /// True if the call was not made.
    pub fn is_rejected(&self) -> bool {
        self.rejected().is_some()
    }
}

impl<E: Into<BoxError>> CircuitBreakerError<E> {
    /// The part itself as a boxed error, for errors that are no [`Error`] (`BoxError`, `anyhow::Error`).
    pub fn into_boxed(self) -> BoxError {
        match self {
            CircuitBreakerError::Rejected(rejected) => Box::new(rejected),
            CircuitBreakerError::Inner(error) => error.into(),
        }
    }
}

impl<E> From<Rejected> for CircuitBreakerError<E> {
    fn from(rejected: Rejected) -> Self {
        CircuitBreakerError::Rejected(rejected)
    }
}

impl<E> fmt::Display for CircuitBreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CircuitBreakerError::Rejected(_) => "call rejected",
            CircuitBreakerError::Inner(_) => "call failed",
        })
    }
}

impl<E: Error + 'static> Error for CircuitBreakerError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            CircuitBreakerError::Rejected(rejected) => rejected,
            CircuitBreakerError::Inner(error) => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TripReason;

    fn rejected() -> Rejected {
        let cause = Cause::plain(TripReason::Manual).to_words();
        Rejected::new("api".into(), Refusal::open(4_200_000_000, cause))
    }

    #[test]
    fn a_rejection_says_who_why_and_when() {
        assert_eq!(rejected().to_string(), "circuit breaker `api` is open (opened by hand); retry in 4.2s");
        assert_eq!(
            Rejected::new("api".into(), Refusal::saturated()).to_string(),
            "circuit breaker `api` is half-open and waits for the probes it has sent"
        );
        assert_eq!(
            Rejected::new("api".into(), Refusal::forced()).to_string(),
            "circuit breaker `api` is forced open by an operator"
        );
    }

    #[test]
    fn durations_read_as_a_person_says_them() {
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
            assert_eq!(Brief(Duration::from_millis(millis)).to_string(), text);
        }
        assert_eq!(Brief(Duration::from_micros(300)).to_string(), "300µs");
    }

    #[test]
    fn a_rejection_is_found_however_it_is_wrapped() {
        let wrapped: [BoxError; 6] = [
            Box::new(rejected()),
            Box::new(Arc::new(rejected())),
            Box::new(Box::new(rejected())),
            Box::new(io::Error::other(rejected())),
            Box::new(Arc::new(rejected()) as Arc<dyn Error + Send + Sync>),
            Box::new(CircuitBreakerError::Inner(io::Error::other(CircuitBreakerError::<io::Error>::from(
                rejected(),
            )))),
        ];
        for error in wrapped {
            assert_eq!(rejection(&*error), Some(&rejected()), "{error:?}");
        }
        assert_eq!(rejection(&io::Error::other("no breaker here")), None);
    }

    #[test]
    fn a_rejection_is_small() {
        assert!(size_of::<Rejected>() <= 40);
    }
}
