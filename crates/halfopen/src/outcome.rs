//! How calls end.

/// How a call ended, as its caller reports it.
///
/// The outcomes that only the breaker itself records (abandoned, late) are in [`Ended`](crate::Ended); the counts of
/// all of them are in [`Totals`](crate::Totals). Variants may be added: to test whether a call failed, use
/// [`is_failure`](Self::is_failure).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency did its work, even if its response was negative, such as "not found".
    Success,
    /// The dependency is to blame: an error, a timeout, an overload.
    Failure,
    /// A failure by which the dependency limits its callers: HTTP 429, gRPC `RESOURCE_EXHAUSTED`, or a 503
    /// with a `Retry-After`.
    ///
    /// Rules treat it as [`Failure`](Self::Failure) in every respect. It is counted in
    /// [`Totals::throttled`](crate::Totals::throttled) in addition.
    Throttled,
    /// No evidence about the dependency: the call is recorded in no window, and a probe's slot is freed.
    Ignored,
}

impl Outcome {
    /// Returns true if the rules count this outcome as a failure: [`Failure`](Self::Failure) and
    /// [`Throttled`](Self::Throttled).
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Outcome;
    ///
    /// assert!(Outcome::Throttled.is_failure());
    /// assert!(!Outcome::Ignored.is_failure());
    /// ```
    #[inline]
    pub const fn is_failure(self) -> bool {
        match self {
            Outcome::Failure | Outcome::Throttled => true,
            Outcome::Success | Outcome::Ignored => false,
        }
    }
}

/// How a permit ended, as the breaker has recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Ended {
    /// The call succeeded.
    Success,
    /// The call failed.
    Failure,
    /// The outcome was no evidence about the dependency.
    Ignored,
    /// The permit was dropped without a report.
    Abandoned,
    /// The call ended after the visit that admitted it.
    Late,
}

impl Ended {
    /// Returns the name in documents and labels: `success`, `failure`, `ignored`, `abandoned`, `late`.
    pub fn as_str(self) -> &'static str {
        match self {
            Ended::Success => "success",
            Ended::Failure => "failure",
            Ended::Ignored => "ignored",
            Ended::Abandoned => "abandoned",
            Ended::Late => "late",
        }
    }
}

/// How a permit ends, before the breaker has evaluated its epoch, its age and its duration.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Success,
    Failure { hint: Option<u64> },
    Throttled { hint: Option<u64> },
    Ignored,
    Abandoned,
}
