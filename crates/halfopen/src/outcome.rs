//! How calls end.

/// How a call ended, as its caller reports it.
///
/// What the breaker records beside these (abandoned, late, slow) is in [`Ended`](crate::Ended) and
/// [`Totals`](crate::Totals). More kinds may be added: a function that needs to know only whether a call
/// failed uses [`is_failure`](Self::is_failure).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency did its work, even if its answer was "no such thing".
    Success,
    /// The dependency is to blame: an error, a timeout, an overload.
    Failure,
    /// A failure by which the dependency limits its callers: HTTP 429, gRPC `RESOURCE_EXHAUSTED`, or a 503
    /// with a `Retry-After`.
    ///
    /// Rules treat it as [`Failure`](Self::Failure) in every respect; it is counted apart in
    /// [`Totals::throttled`](crate::Totals::throttled) as well.
    Throttled,
    /// No evidence about the dependency; counts in no window and frees the slot of a probe.
    Ignored,
}

impl Outcome {
    /// Returns true if a breaker of rules counts this outcome as a failure: [`Failure`](Self::Failure) and
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

/// What became of a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Ended {
    /// The call succeeded.
    Success,
    /// The call failed.
    Failure,
    /// The call said nothing about the dependency.
    Ignored,
    /// The permit was dropped without a word.
    Abandoned,
    /// The state it was admitted in had ended before it did.
    Late,
}

impl Ended {
    /// The word for it in documents and labels: `success`, `failure`, `ignored`, `abandoned`, `late`.
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

/// How a permit ends, before the breaker has judged it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Success,
    Failure { hint: Option<u64> },
    Throttled { hint: Option<u64> },
    Ignored,
    Abandoned,
}
