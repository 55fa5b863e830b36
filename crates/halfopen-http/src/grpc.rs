use std::fmt;
use std::time::Duration;

use halfopen::{Classify, Outcome};
use http::{Response, StatusCode};
use http_body::Body;

use crate::cause::outcome_of;
use crate::retry_after::retry_after_now;
use crate::{GrpcCode, RuleError, TypedErrors};

/// Classifies gRPC responses by their status code.
///
/// By default `Unavailable`, `DeadlineExceeded`, `Internal`, `Unknown`, `DataLoss`,
/// `ResourceExhausted` and `Cancelled` are failures. All other codes are successes, as the server has
/// processed the request. Of the failures, `ResourceExhausted` is [`Outcome::Throttled`]. A caller that cancels does not wait for the status, so a `Cancelled` that
/// arrives was caused by the peer: its own timeout, a handler that panicked, a connection that is drained.
/// Every transport error is a failure, except an error that the caller's own side caused
/// ([`is_local`](crate::is_local)), which is ignored. The `grpc-retry-pushback-ms` or `Retry-After` of a
/// failure becomes the hint for the wait.
///
/// The rules are two bit masks, copied without allocating. As a [`Classify`] they see only the head of
/// the response, which has the status only if there is no message; a response with its status in the
/// trailers is then a success. A [`WatchedCall`](crate::WatchedCall) waits for the trailers.
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
/// use halfopen_http::{GrpcClassify, GrpcCode};
///
/// let rules = GrpcClassify::new();
/// assert_eq!(rules.outcome(GrpcCode::Unavailable), Outcome::Failure);
/// assert_eq!(rules.outcome(GrpcCode::NotFound), Outcome::Success);
/// assert_eq!(rules.outcome(GrpcCode::Cancelled), Outcome::Failure);
///
/// // A quota per tenant is no evidence about the server.
/// let rules = rules.rule(GrpcCode::ResourceExhausted, Outcome::Ignored)?;
/// assert_eq!(rules.outcome(GrpcCode::ResourceExhausted), Outcome::Ignored);
/// # Ok::<(), halfopen_http::RuleError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GrpcClassify {
    /// The codes that are failures, the throttled ones included.
    failing: u32,
    /// The codes that are ignored or, if they are failing, throttled.
    apart: u32,
}

/// The codes except `Ok`.
const MASK: u32 = (1 << 17) - 2;

impl GrpcClassify {
    /// Creates the default rules.
    pub const fn new() -> GrpcClassify {
        let overload = GrpcCode::Unavailable.bit() | GrpcCode::ResourceExhausted.bit();
        let broken = GrpcCode::Internal.bit() | GrpcCode::Unknown.bit() | GrpcCode::DataLoss.bit();
        let given_up = GrpcCode::DeadlineExceeded.bit() | GrpcCode::Cancelled.bit();
        GrpcClassify { failing: overload | broken | given_up, apart: GrpcCode::ResourceExhausted.bit() }
    }

    /// Creates rules from a mask of the codes that are failures, where bit n is code n.
    ///
    /// All other codes are successes, except `Cancelled`, which is ignored. `ResourceExhausted` is
    /// [`Outcome::Throttled`] if it is a failure.
    ///
    /// # Errors
    ///
    /// Returns an error if the mask has a bit above 16, or the bit of `Ok`, which is never a failure.
    pub fn from_mask(failures: u32) -> Result<GrpcClassify, RuleError> {
        if failures & !MASK != 0 {
            return Err(RuleError::new("failures", format!("{failures:#x}"), "a mask of bits 1 to 16"));
        }
        let ignored = GrpcCode::Cancelled.bit() & !failures;
        let throttled = GrpcCode::ResourceExhausted.bit() & failures;
        Ok(GrpcClassify { failing: failures, apart: ignored | throttled })
    }

    /// Returns the mask of the codes that are failures, the throttled ones included, where bit n is code n.
    pub const fn mask(&self) -> u32 {
        self.failing
    }

    /// Sets the outcome of a code. A later rule overrides an earlier one.
    ///
    /// # Errors
    ///
    /// Returns an error if `code` is `Ok` and `outcome` is not `Success`.
    pub fn rule(mut self, code: GrpcCode, outcome: Outcome) -> Result<GrpcClassify, RuleError> {
        if code == GrpcCode::Ok && outcome != Outcome::Success {
            return Err(RuleError::new("Ok", format!("{outcome:?}"), "Success"));
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
        let with = |mask: u32, on: bool| if on { mask | code.bit() } else { mask & !code.bit() };
        self.failing = with(self.failing, failing);
        self.apart = with(self.apart, apart);
        Ok(self)
    }

    /// Returns the outcome of a response with this code, before the deadline of the request.
    pub fn outcome(&self, code: GrpcCode) -> Outcome {
        match (self.failing & code.bit() != 0, self.apart & code.bit() != 0) {
            (true, false) => Outcome::Failure,
            (true, true) => Outcome::Throttled,
            (false, true) => Outcome::Ignored,
            (false, false) => Outcome::Success,
        }
    }

    /// Returns the outcome of a response with this code, after the deadline of the request has passed or
    /// with a timeout in the chain of the error.
    ///
    /// The same as [`outcome`](Self::outcome), except that a `Cancelled` that would be ignored is a failure:
    /// clients report `Cancelled` when a timer has cancelled the call.
    pub fn outcome_after_timeout(&self, code: GrpcCode) -> Outcome {
        self.outcome_in_time(code, || true)
    }

    /// Returns the outcome of a response with this code. `timed_out` is called only if it makes a difference.
    pub(crate) fn outcome_in_time(&self, code: GrpcCode, timed_out: impl FnOnce() -> bool) -> Outcome {
        match (code, self.outcome(code)) {
            // The client cancels at its deadline, and reports that as cancelled: it was the callee that took too
            // long.
            (GrpcCode::Cancelled, Outcome::Ignored) if timed_out() => Outcome::Failure,
            (_, outcome) => outcome,
        }
    }

    /// Returns the code in the head of a response, or [`None`] if the trailers will have it.
    ///
    /// Also returns [`None`] for a `grpc-status` of 0 in a head that does not end the stream, as the body
    /// can still fail.
    pub fn code_at_head<B: Body>(response: &Response<B>) -> Option<GrpcCode> {
        let ended = response.body().is_end_stream();
        match (GrpcCode::from_headers(response.headers()), response.status()) {
            // Some servers send a status of OK with the head although the stream goes on; its end decides.
            (Some(GrpcCode::Ok), _) if !ended => None,
            (Some(code), _) => Some(code),
            // Neither a status nor a body that could bring one: the specification's code for that.
            (None, StatusCode::OK) => ended.then_some(GrpcCode::Unknown),
            (None, http) => Some(GrpcCode::from_http(http)),
        }
    }

    /// Returns the same rules for typed errors, which walk the `source()` chain of the error.
    pub const fn typed_errors(self) -> TypedErrors<GrpcClassify> {
        TypedErrors(self)
    }
}

impl Default for GrpcClassify {
    fn default() -> GrpcClassify {
        GrpcClassify::new()
    }
}

impl fmt::Debug for GrpcClassify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes = |mask: u32| GrpcCode::ALL.into_iter().filter(move |code| mask & code.bit() != 0);
        f.debug_struct("GrpcClassify")
            .field("failures", &codes(self.failing).collect::<Vec<_>>())
            .field("throttled", &codes(self.failing & self.apart).collect::<Vec<_>>())
            .field("ignored", &codes(self.apart & !self.failing).collect::<Vec<_>>())
            .finish()
    }
}

impl<B: Body, E: 'static> Classify<Response<B>, E> for GrpcClassify {
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        match result {
            Ok(response) => {
                GrpcClassify::code_at_head(response).map_or(Outcome::Success, |code| self.outcome(code))
            }
            Err(error) => outcome_of(error),
        }
    }

    fn retry_after(&self, result: &Result<Response<B>, E>) -> Option<Duration> {
        retry_after_now(result.as_ref().ok()?.headers())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;

    #[test]
    fn by_default_seven_codes_fail_and_the_rest_succeeds() {
        use GrpcCode::*;
        for code in GrpcCode::ALL {
            let expected = match code {
                Unavailable | DeadlineExceeded | Internal | Unknown | DataLoss | Cancelled => {
                    Outcome::Failure
                }
                ResourceExhausted => Outcome::Throttled,
                Ok | InvalidArgument | NotFound | AlreadyExists | PermissionDenied | FailedPrecondition
                | Aborted | OutOfRange | Unimplemented | Unauthenticated => Outcome::Success,
            };
            assert_eq!(GrpcClassify::default().outcome(code), expected, "{code:?}");
        }
    }

    #[test]
    fn an_ok_in_the_head_of_a_stream_decides_nothing() {
        let response = full(Response::builder().header("grpc-status", "0"));
        assert_eq!(GrpcClassify::code_at_head(&response), None);
        let response = Response::builder().header("grpc-status", "0").body(Empty::<&'static [u8]>::new());
        assert_eq!(GrpcClassify::code_at_head(&response.unwrap()), Some(GrpcCode::Ok));
    }

    #[test]
    fn after_a_timeout_only_an_ignored_cancelled_changes() {
        let rules = GrpcClassify::new().rule(GrpcCode::Cancelled, Outcome::Ignored).unwrap();
        for code in GrpcCode::ALL {
            let expected = match code {
                GrpcCode::Cancelled => Outcome::Failure,
                code => rules.outcome(code),
            };
            assert_eq!(rules.outcome_after_timeout(code), expected, "{code:?}");
        }

        let lenient = rules.rule(GrpcCode::Cancelled, Outcome::Success).unwrap();
        assert_eq!(lenient.outcome_after_timeout(GrpcCode::Cancelled), Outcome::Success);
    }

    #[test]
    fn a_mask_holds_only_codes_and_never_ok() {
        for mask in [1, 1 << 17, u32::MAX] {
            let said = GrpcClassify::from_mask(mask).unwrap_err().to_string();
            assert_eq!(said, format!("`failures` is {mask:#x}, but must be a mask of bits 1 to 16"));
        }
        let rules = GrpcClassify::from_mask(GrpcClassify::new().mask()).unwrap();
        assert_eq!(rules, GrpcClassify::new());
        let quotas_succeed = GrpcClassify::from_mask(1 << 14).unwrap();
        assert_eq!(quotas_succeed.outcome(GrpcCode::ResourceExhausted), Outcome::Success);

        let cancelled = GrpcClassify::from_mask(1 << 1).unwrap();
        assert_eq!(cancelled.outcome(GrpcCode::Cancelled), Outcome::Failure);
        assert_eq!(cancelled.outcome(GrpcCode::Internal), Outcome::Success);
    }

    #[test]
    fn ok_is_always_a_success() {
        let said = GrpcClassify::new().rule(GrpcCode::Ok, Outcome::Failure).unwrap_err();
        assert_eq!(said.to_string(), "`Ok` is Failure, but must be Success");
        assert!(GrpcClassify::new().rule(GrpcCode::Ok, Outcome::Success).is_ok());
    }

    #[test]
    fn the_rules_print_as_names() {
        assert_eq!(
            format!("{:?}", GrpcClassify::new()),
            "GrpcClassify { failures: [Cancelled, Unknown, DeadlineExceeded, ResourceExhausted, Internal, \
             Unavailable, DataLoss], throttled: [ResourceExhausted], ignored: [] }"
        );
    }

    fn full(response: http::response::Builder) -> Response<Full<&'static [u8]>> {
        response.body(Full::new(&b"message"[..])).unwrap()
    }

    #[test]
    fn a_grpc_status_in_the_head_overrules_http() {
        let response = full(Response::builder().status(503).header("grpc-status", "5"));
        assert_eq!(GrpcClassify::code_at_head(&response), Some(GrpcCode::NotFound));
    }

    #[test]
    fn a_proxy_without_grpc_is_judged_by_http() {
        let response = full(Response::builder().status(503));
        assert_eq!(GrpcClassify::code_at_head(&response), Some(GrpcCode::Unavailable));
    }

    #[test]
    fn an_empty_answer_without_a_status_is_unknown() {
        let response = Response::new(Empty::<&'static [u8]>::new());
        assert_eq!(GrpcClassify::code_at_head(&response), Some(GrpcCode::Unknown));
        assert_eq!(GrpcClassify::new().classify(&Ok::<_, std::io::Error>(response)), Outcome::Failure);
    }

    #[test]
    fn with_a_message_on_its_way_the_head_decides_nothing() {
        let response = full(Response::builder());
        assert_eq!(GrpcClassify::code_at_head(&response), None);
        assert_eq!(GrpcClassify::new().classify(&Ok::<_, std::io::Error>(response)), Outcome::Success);
    }

    #[test]
    fn a_pushback_in_the_head_is_passed_on() {
        let head = Response::builder().header("grpc-status", "14").header("grpc-retry-pushback-ms", "1500");
        let result = Ok::<_, std::io::Error>(full(head));
        assert_eq!(GrpcClassify::new().retry_after(&result), Some(Duration::from_millis(1500)));
    }
}
