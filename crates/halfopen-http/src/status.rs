use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use halfopen::{Classify, Outcome};
use http::{HeaderMap, Response, StatusCode};

use crate::cause::outcome_of;
use crate::retry_after::retry_after_now;
use crate::{RuleError, TypedErrors};

/// Classifies HTTP responses by their status.
///
/// By default 408, 429 and every 5xx except 501 and 505 are failures. All other statuses are successes: a
/// server that responds "not found" or "not implemented" has processed the request. Of the failures, a 429, and a
/// 503 with a `Retry-After`, are [`Outcome::Throttled`]. Every error (connect, timeout, a broken response body) is a failure, except an error that the caller's own side caused
/// ([`is_local`](crate::is_local)), which is ignored. The `Retry-After` of a failure becomes the hint for
/// the wait.
///
/// The rules are 128 bytes, copied without allocating. As a [`Classify`] they see only the head of the
/// response; a [`WatchedCall`](crate::WatchedCall) watches the body as well.
///
/// The `source()` chain is walked for boxed errors (such as tower's `BoxError`) and for the errors of
/// clients whose feature is enabled. For other error types, use [`typed_errors`](Self::typed_errors).
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
/// use halfopen_http::HttpClassify;
/// use http::StatusCode;
///
/// let rules = HttpClassify::new();
/// assert_eq!(rules.outcome(StatusCode::SERVICE_UNAVAILABLE), Outcome::Failure);
/// assert_eq!(rules.outcome(StatusCode::NOT_FOUND), Outcome::Success);
/// assert_eq!(rules.outcome(StatusCode::TOO_MANY_REQUESTS), Outcome::Throttled);
///
/// // A quota per tenant is no evidence about the server. A 404 from this server means that it lost its data.
/// let rules = rules.rule(429..=429, Outcome::Ignored)?.rule(404..=404, Outcome::Failure)?;
/// assert_eq!(rules.outcome(StatusCode::TOO_MANY_REQUESTS), Outcome::Ignored);
/// assert_eq!(rules.outcome(StatusCode::NOT_FOUND), Outcome::Failure);
/// # Ok::<(), halfopen_http::RuleError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HttpClassify {
    /// The statuses that are failures, the throttled ones included.
    failing: StatusSet,
    /// The statuses that are ignored or, if they are failing, throttled.
    apart: StatusSet,
}

/// A set of the statuses 100 to 599, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct StatusSet([u64; 8]);

const FIRST: u16 = 100;
const LAST: u16 = 599;

impl HttpClassify {
    /// Creates the default rules.
    pub const fn new() -> HttpClassify {
        let failing = StatusSet::EMPTY.with(408, 408).with(429, 429);
        let failing = failing.with(500, 500).with(502, 504).with(506, 599);
        HttpClassify { failing, apart: StatusSet::EMPTY.with(429, 429) }
    }

    /// Creates rules by which every status is a success.
    pub const fn all_succeed() -> HttpClassify {
        HttpClassify { failing: StatusSet::EMPTY, apart: StatusSet::EMPTY }
    }

    /// Sets the outcome of a range of statuses. A later rule overrides an earlier one.
    ///
    /// A 503 that is a failure remains [`Outcome::Throttled`] if its response has a `Retry-After`.
    ///
    /// # Errors
    ///
    /// Returns an error if the range is empty or not within 100 to 599. A status above 599 is invalid, and
    /// is a success if it arrives nevertheless.
    pub fn rule(
        mut self,
        statuses: RangeInclusive<u16>,
        outcome: Outcome,
    ) -> Result<HttpClassify, RuleError> {
        let (first, last) = (*statuses.start(), *statuses.end());
        if first > last || first < FIRST || last > LAST {
            return Err(RuleError::new("status", format!("{first}..={last}"), "a range within 100..=599"));
        }
        let (failing, apart) = match outcome {
            Outcome::Success => (false, false),
            Outcome::Failure => (true, false),
            Outcome::Throttled => (true, true),
            Outcome::Ignored => (false, true),
            other => {
                let range = "Success, Failure, Throttled or Ignored";
                return Err(RuleError::new("outcome", format!("{other:?}"), range));
            }
        };
        self.failing = self.failing.set(first, last, failing);
        self.apart = self.apart.set(first, last, apart);
        Ok(self)
    }

    /// Returns the outcome of a response with this status and no header that changes it.
    ///
    /// For a response with headers see [`outcome_with`](Self::outcome_with).
    pub fn outcome(&self, status: StatusCode) -> Outcome {
        match (self.failing.holds(status.as_u16()), self.apart.holds(status.as_u16())) {
            (true, false) => Outcome::Failure,
            (true, true) => Outcome::Throttled,
            (false, true) => Outcome::Ignored,
            (false, false) => Outcome::Success,
        }
    }

    /// Returns the outcome of a response with this status and these headers: that of the status, but a 503
    /// that is a failure is [`Outcome::Throttled`] if it has a `Retry-After`.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Outcome;
    /// use halfopen_http::HttpClassify;
    /// use http::Response;
    ///
    /// let shed = Response::builder().status(503).header("retry-after", "5").body(())?;
    /// let outcome = HttpClassify::new().outcome_with(shed.status(), shed.headers());
    /// assert_eq!(outcome, Outcome::Throttled);
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn outcome_with(&self, status: StatusCode, headers: &HeaderMap) -> Outcome {
        match self.outcome(status) {
            Outcome::Failure
                // A server that names a time is limiting its callers, not broken.
                if status == StatusCode::SERVICE_UNAVAILABLE && retry_after_now(headers).is_some() =>
            {
                Outcome::Throttled
            }
            outcome => outcome,
        }
    }

    /// Returns the statuses that are failures, the throttled ones included, as ranges in ascending order.
    pub fn failures(&self) -> impl Iterator<Item = RangeInclusive<u16>> + '_ {
        ranges(|status| self.failing.holds(status))
    }

    /// Returns the statuses that are failures by which the server limits its callers, as ranges in ascending order.
    pub fn throttled(&self) -> impl Iterator<Item = RangeInclusive<u16>> + '_ {
        ranges(|status| self.failing.holds(status) && self.apart.holds(status))
    }

    /// Returns the statuses that are ignored, as ranges in ascending order.
    pub fn ignored(&self) -> impl Iterator<Item = RangeInclusive<u16>> + '_ {
        ranges(|status| !self.failing.holds(status) && self.apart.holds(status))
    }

    /// Returns the same rules for typed errors, which walk the `source()` chain of the error.
    pub const fn typed_errors(self) -> TypedErrors<HttpClassify> {
        TypedErrors(self)
    }
}

impl Default for HttpClassify {
    fn default() -> HttpClassify {
        HttpClassify::new()
    }
}

impl<B, E: 'static> Classify<Response<B>, E> for HttpClassify {
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        match result {
            Ok(response) => self.outcome_with(response.status(), response.headers()),
            Err(error) => outcome_of(error),
        }
    }

    fn retry_after(&self, result: &Result<Response<B>, E>) -> Option<Duration> {
        retry_after_now(result.as_ref().ok()?.headers())
    }
}

impl StatusSet {
    const EMPTY: StatusSet = StatusSet([0; 8]);

    const fn with(mut self, first: u16, last: u16) -> StatusSet {
        let mut status = first;
        while status <= last {
            self.0[Self::word(status)] |= Self::bit(status);
            status += 1;
        }
        self
    }

    const fn set(self, first: u16, last: u16, on: bool) -> StatusSet {
        if on { self.with(first, last) } else { self.without(first, last) }
    }

    const fn without(mut self, first: u16, last: u16) -> StatusSet {
        let mut status = first;
        while status <= last {
            self.0[Self::word(status)] &= !Self::bit(status);
            status += 1;
        }
        self
    }

    fn holds(&self, status: u16) -> bool {
        // A status is any number of three digits; those that no set can hold are successes.
        (FIRST..=LAST).contains(&status) && self.0[Self::word(status)] & Self::bit(status) != 0
    }

    const fn word(status: u16) -> usize {
        (status - FIRST) as usize / 64
    }

    const fn bit(status: u16) -> u64 {
        1 << ((status - FIRST) % 64)
    }
}

/// Returns the statuses that `holds` is true of, as ranges in ascending order.
fn ranges(holds: impl Fn(u16) -> bool) -> impl Iterator<Item = RangeInclusive<u16>> {
    let mut next = FIRST;
    std::iter::from_fn(move || {
        let first = (next..=LAST).find(|&status| holds(status))?;
        let last = (first..=LAST).take_while(|&status| holds(status)).last()?;
        next = last + 1;
        Some(first..=last)
    })
}

impl fmt::Debug for HttpClassify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClassify")
            .field("failures", &self.failures().collect::<Vec<_>>())
            .field("throttled", &self.throttled().collect::<Vec<_>>())
            .field("ignored", &self.ignored().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }

    #[test]
    fn by_default_408_429_and_5xx_but_501_and_505_fail() {
        for code in 100..=999 {
            let expected = match code {
                429 => Outcome::Throttled,
                501 | 505 => Outcome::Success,
                408 | 500..=599 => Outcome::Failure,
                _ => Outcome::Success,
            };
            assert_eq!(HttpClassify::default().outcome(status(code)), expected, "{code}");
        }
    }

    #[test]
    fn the_last_rule_that_names_a_status_decides() {
        let rules = HttpClassify::all_succeed()
            .rule(400..=499, Outcome::Failure)
            .and_then(|rules| rules.rule(404..=410, Outcome::Ignored))
            .and_then(|rules| rules.rule(408..=408, Outcome::Success))
            .unwrap();

        assert_eq!(rules.outcome(status(403)), Outcome::Failure);
        assert_eq!(rules.outcome(status(404)), Outcome::Ignored);
        assert_eq!(rules.outcome(status(408)), Outcome::Success);
        assert_eq!(rules.outcome(status(411)), Outcome::Failure);
        assert_eq!(rules.outcome(status(500)), Outcome::Success);
        assert_eq!(rules.failures().collect::<Vec<_>>(), [400..=403, 411..=499]);
        assert_eq!(rules.ignored().collect::<Vec<_>>(), [404..=407, 409..=410]);
    }

    #[test]
    fn an_invalid_range_of_statuses_is_refused_by_name() {
        #[allow(clippy::reversed_empty_ranges, reason = "the mistake under test")]
        for range in [99..=100, 500..=600, 0..=65_535, 500..=499] {
            let said = HttpClassify::new().rule(range.clone(), Outcome::Failure).unwrap_err();
            assert_eq!(
                said.to_string(),
                format!("`status` is {range:?}, but must be a range within 100..=599")
            );
        }
        assert!(HttpClassify::new().rule(100..=599, Outcome::Failure).is_ok());
    }

    #[test]
    fn the_rules_print_as_ranges() {
        let printed = format!("{:?}", HttpClassify::new());
        assert_eq!(
            printed,
            "HttpClassify { failures: [408..=408, 429..=429, 500..=500, 502..=504, 506..=599], \
             throttled: [429..=429], ignored: [] }"
        );
    }

    #[test]
    fn a_failures_retry_after_is_passed_on() {
        let response = Response::builder().status(503).header("retry-after", "7").body(()).unwrap();
        let result: Result<_, std::io::Error> = Ok(response);

        assert_eq!(HttpClassify::new().classify(&result), Outcome::Throttled);
        assert_eq!(HttpClassify::new().retry_after(&result), Some(Duration::from_secs(7)));
    }

    #[test]
    fn only_a_failing_503_is_throttled_by_its_hint() {
        let hinted = |code| {
            let response = Response::builder().status(code).header("retry-after", "7").body(()).unwrap();
            HttpClassify::new().outcome_with(response.status(), response.headers())
        };
        assert_eq!(hinted(503), Outcome::Throttled);
        assert_eq!(hinted(500), Outcome::Failure, "an error with a hint is still an error");
        assert_eq!(hinted(202), Outcome::Success, "`Retry-After` also tells when to ask for a result");

        let lenient = HttpClassify::new().rule(503..=503, Outcome::Ignored).unwrap();
        let response = Response::builder().status(503).header("retry-after", "7").body(()).unwrap();
        assert_eq!(lenient.outcome_with(response.status(), response.headers()), Outcome::Ignored);
        assert_eq!(HttpClassify::new().outcome_with(response.status(), &HeaderMap::new()), Outcome::Failure);
    }

    #[test]
    fn a_rule_names_a_status_as_throttled_or_not() {
        let rules = HttpClassify::new()
            .rule(403..=403, Outcome::Throttled)
            .and_then(|rules| rules.rule(429..=429, Outcome::Failure))
            .unwrap();

        assert_eq!(rules.outcome(status(403)), Outcome::Throttled);
        assert_eq!(rules.outcome(status(429)), Outcome::Failure);
        assert_eq!(rules.throttled().collect::<Vec<_>>(), [403..=403]);
        assert_eq!(rules.failures().next(), Some(403..=403), "a throttled status is a failure");
        assert_eq!(rules.ignored().count(), 0);
    }

    #[test]
    fn an_error_has_no_hint() {
        let result: Result<Response<()>, _> = Err(std::io::Error::other("reset"));

        assert_eq!(HttpClassify::new().classify(&result), Outcome::Failure);
        assert_eq!(HttpClassify::new().retry_after(&result), None);
    }
}
