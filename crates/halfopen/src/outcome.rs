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

/// A call that has ended, as it is recorded.
///
/// It is made once, from the report and the time, and passed unchanged to the window or the machine, to the totals and
/// to the listeners. Only a call that turns out to be late is replaced, by [`late`](Self::late).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) ended: Ended,
    /// Whether a failure was reported as [`Outcome::Throttled`].
    pub(crate) throttled: bool,
    /// Whether a success or a failure took as long as the slow-call rule asks for.
    pub(crate) slow: bool,
    /// The nanoseconds that the call took, if it was timed.
    pub(crate) took: Option<u64>,
    /// The nanoseconds for which the server asked its clients to stay away; of a failure only.
    pub(crate) hint: Option<u64>,
}

impl Finished {
    /// Creates a call that was not timed and has no hint.
    pub(crate) const fn untimed(ended: Ended) -> Finished {
        Finished { ended, throttled: false, slow: false, took: None, hint: None }
    }

    /// Returns the same call as one that ended after the visit that admitted it.
    pub(crate) const fn late(self) -> Finished {
        // The rules see no late call, so it is slow for none of them.
        Finished { ended: Ended::Late, slow: false, ..self }
    }

    /// Returns whether the outcome is evidence about the dependency. Windows and the machine record only such calls.
    #[inline]
    pub(crate) const fn is_evidence(&self) -> bool {
        match self.ended {
            Ended::Success | Ended::Failure => true,
            Ended::Ignored | Ended::Abandoned | Ended::Late => false,
        }
    }

    #[inline]
    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self.ended, Ended::Failure)
    }

    /// Returns whether the call is a success that was not slow.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self.ended, Ended::Success) && !self.slow
    }
}
