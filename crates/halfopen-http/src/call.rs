use std::any::Any;
use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::time::Duration;

use halfopen::adapter::{StreamEnd, catch_panic};
use halfopen::{CircuitBreaker, Classify, Outcome, OwnedPermit, Report};
use http::{Method, Response};
use http_body::Body;

use crate::body::Expected;
use crate::cause::outcome_of;
use crate::{ClassifyHead, Head, WatchedBody};

/// A call in flight: its permit, its deadline and its duration.
///
/// An adapter keeps it in the future of the call, polls the inner future through
/// [`poll_with`](Self::poll_with), and passes the result to [`finish`](Self::finish), which records a
/// call that is decided by the head of its response. The [`WatchedBody`] of the response records the
/// others.
///
/// Dropping it before `finish` abandons the call, or records a failure if its
/// [`timeout`](Self::timeout) has passed.
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
/// use halfopen_http::{HttpClassify, WatchedCall};
/// use http::Response;
/// use http_body_util::{BodyExt, Full};
/// # use std::convert::Infallible;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let send = async { Ok::<_, Infallible>(Response::new(Full::new(&b"42 in stock"[..]))) };
/// let breaker = CircuitBreaker::builder("inventory").build();
/// let call = WatchedCall::new(breaker.try_acquire_owned()?);
///
/// // `send` is the client's future of a response.
/// let response = call.watch(&HttpClassify::new(), send).await?;
/// assert_eq!(breaker.snapshot().totals.successes, 0); // the body may still break
///
/// let body = response.into_body().collect().await?.to_bytes();
/// assert_eq!(&body[..], b"42 in stock");
/// assert_eq!(breaker.snapshot().totals.successes, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a dropped call is an abandoned call"]
pub struct WatchedCall {
    held: Held,
    /// On the breaker's clock.
    deadline: Option<Duration>,
    /// The time to the first data frame, if the breaker measures durations.
    took: Option<Duration>,
    measure_to_end: bool,
    /// The response to this request has no body.
    bodiless: bool,
    /// Classifies the errors of the client's bodies, if the adapter has set it.
    body_errors: Option<JudgeError>,
}

/// The part of a call that is still to be recorded.
#[derive(Debug)]
enum Held {
    Call(OwnedPermit),
    /// The first data frame has recorded a probe.
    Stream(StreamEnd),
    /// The call was recorded.
    Nothing,
}

/// Returns the outcome of an error, or [`None`] if the type of the error is unknown.
pub(crate) type JudgeError = fn(&dyn Any) -> Option<Outcome>;

impl WatchedCall {
    /// Creates a call with this permit, without a deadline.
    pub fn new(permit: OwnedPermit) -> WatchedCall {
        WatchedCall {
            held: Held::Call(permit),
            deadline: None,
            took: None,
            measure_to_end: false,
            bodiless: false,
            body_errors: None,
        }
    }

    /// Sets the deadline of the request, counted from now on the breaker's clock.
    ///
    /// After the deadline, dropping the call records a failure instead of abandoning it, and the code
    /// `Cancelled` is a failure even where the rules ignore it. Does not cancel the call. See
    /// [`grpc_timeout`](crate::grpc_timeout).
    pub fn timeout(mut self, timeout: Duration) -> WatchedCall {
        // By the breaker's own clock, so that a test that stops it stops the deadline too.
        self.deadline = self.breaker().map(|breaker| breaker.now().saturating_add(timeout));
        self
    }

    /// Measures the duration of the call, for a slow-call rule, to the end of the body.
    ///
    /// By default it is measured to the first data frame, so that a long-lived stream is not slow. With
    /// this option a slow download is slow.
    pub fn measure_to_end(mut self) -> WatchedCall {
        self.measure_to_end = true;
        self
    }

    /// Sets the method of the request.
    ///
    /// The response to a `HEAD` has a length but no body, so its empty body is not truncated.
    pub fn method(mut self, method: &Method) -> WatchedCall {
        self.bodiless = method == Method::HEAD;
        self
    }

    /// Classifies errors of the body with `judge`.
    ///
    /// If `judge` returns [`None`], the error is a failure, or ignored if the caller's own side caused it
    /// ([`is_local`](crate::is_local)). For adapters that know the error type of their client's bodies: a
    /// rejection in a chain that only they can walk, a stream that the caller has cancelled.
    pub fn body_errors(mut self, judge: fn(&dyn Any) -> Option<Outcome>) -> WatchedCall {
        self.body_errors = Some(judge);
        self
    }

    /// Returns the outcome of an error of the body. A panic in the adapter's function counts as [`None`].
    pub(crate) fn outcome_of_body_error<E: 'static>(&self, error: &E) -> Outcome {
        // The rule may be the user's own, and this runs while the body is polled: a panic must not reach the
        // reader.
        let judged = self.body_errors.and_then(|judge| catch_panic(|| judge(error)).flatten());
        judged.unwrap_or_else(|| outcome_of(error))
    }

    /// Returns `true` if the deadline of the request has passed.
    pub fn timed_out(&self) -> bool {
        let Some(deadline) = self.deadline else { return false };
        self.breaker().is_some_and(|breaker| breaker.now() >= deadline)
    }

    /// Polls the inner future. A panic in `poll` is recorded as a failure and propagates.
    #[inline]
    pub fn poll_with<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        // The unwinding drops the guard and records the call here. A later drop could not distinguish this panic from
        // an unrelated one in the same task.
        let guard = FailsInPanic(&mut self.held);
        let polled = poll();
        mem::forget(guard);
        polled
    }

    /// Records the call if the result decides it, and returns the result with a watched body.
    ///
    /// An error is classified by `rules`. A response is classified at its head if the head decides, with
    /// its `Retry-After` or pushback as the hint of a failure; otherwise the permit moves into the body,
    /// which records the call.
    ///
    /// # Errors
    ///
    /// Returns the error of the result, unchanged.
    #[inline]
    pub fn finish<B, E, C>(
        self,
        rules: &C,
        result: Result<Response<B>, E>,
    ) -> Result<Response<WatchedBody<B>>, E>
    where
        B: Body,
        C: ClassifyHead + Classify<Response<B>, E>,
    {
        self.finish_with(rules, result, |body| body)
    }

    /// Like [`finish`](Self::finish), but converts the body of the response with `wrap`.
    ///
    /// For adapters whose own body contains the watched one: a response is large, so each further
    /// [`map`](Response::map) costs a copy.
    ///
    /// # Errors
    ///
    /// Returns the error of the result, unchanged.
    #[inline]
    pub fn finish_with<B, E, C, W>(
        mut self,
        rules: &C,
        result: Result<Response<B>, E>,
        wrap: impl FnOnce(WatchedBody<B>) -> W,
    ) -> Result<Response<W>, E>
    where
        B: Body,
        C: ClassifyHead + Classify<Response<B>, E>,
    {
        // An error has no body to watch, so it ends the call here.
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                let result = self.finish_slow(rules, None, Err(error));
                return result.map(|response| response.map(|body| wrap(WatchedBody::unwatched(body))));
            }
        };
        let timed_out = self.timed_out();
        // A panic in the rules of a user must not lose the response.
        match catch_panic(|| rules.classify_head(&response, timed_out)) {
            Some(head @ (Head::IfBodyEnds | Head::InTrailers(_))) => {
                let expected = self.expected_of(head, &response);
                Ok(response.map(|body| wrap(WatchedBody::watched(body, expected, self))))
            }
            Some(Head::Decided(outcome)) if !outcome.is_failure() => {
                self.conclude(outcome, None);
                Ok(response.map(|body| wrap(WatchedBody::unwatched(body))))
            }
            decided => {
                let result = self.finish_slow(rules, decided, Ok(response));
                result.map(|response| response.map(|body| wrap(WatchedBody::unwatched(body))))
            }
        }
    }

    /// Records an error, a response whose head is that of a failure, or one at which the rules have panicked.
    #[cold]
    #[inline(never)]
    fn finish_slow<B, E, C>(
        mut self,
        rules: &C,
        decided: Option<Head>,
        result: Result<Response<B>, E>,
    ) -> Result<Response<B>, E>
    where
        C: Classify<Response<B>, E>,
    {
        match decided {
            Some(Head::Decided(outcome)) => self.conclude(outcome, hint_of(rules, &result)),
            // The breaker runs the rules again, counts the panic and falls back to its default.
            Some(Head::IfBodyEnds | Head::InTrailers(_)) | None => self.judge(&result, rules),
        }
        result
    }

    /// Awaits `send` and finishes the call: [`poll_with`](Self::poll_with) and [`finish`](Self::finish)
    /// in one, for `async` adapters.
    ///
    /// # Errors
    ///
    /// Returns the error of `send`, unchanged.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the call, or records a failure if its timeout has passed.
    pub async fn watch<F, B, E, C>(mut self, rules: &C, send: F) -> Result<Response<WatchedBody<B>>, E>
    where
        F: Future<Output = Result<Response<B>, E>>,
        B: Body,
        C: ClassifyHead + Classify<Response<B>, E>,
    {
        let result = self.run(send).await;
        self.finish(rules, result)
    }

    /// Awaits `work` through [`poll_with`](Self::poll_with).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `work`. The call stays in flight until it is recorded or dropped.
    pub async fn run<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| self.poll_with(|| work.as_mut().poll(context))).await
    }

    /// Classifies a result of any type with `rules` and records the call, without watching a body.
    ///
    /// For clients whose response is not an [`http::Response`].
    pub fn settle<T, E, C: Classify<T, E> + ?Sized>(mut self, result: &Result<T, E>, rules: &C) {
        self.judge(result, rules);
    }

    /// Returns the response with a body that records the call.
    ///
    /// For a response whose head the caller has classified as a success.
    pub fn watch_body<B: Body>(mut self, response: Response<B>) -> Response<WatchedBody<B>> {
        if self.poll_with(|| response.body().is_end_stream()) {
            self.conclude(Outcome::Success, None);
            return response.map(WatchedBody::unwatched);
        }
        self.watched(Head::IfBodyEnds, response)
    }

    #[inline]
    fn watched<B: Body>(mut self, head: Head, response: Response<B>) -> Response<WatchedBody<B>> {
        let expected = self.expected_of(head, &response);
        response.map(|body| WatchedBody::watched(body, expected, self))
    }

    fn expected_of<B: Body>(&mut self, head: Head, response: &Response<B>) -> Expected {
        let bodiless = self.bodiless;
        self.poll_with(|| Expected::of(head, response, bodiless))
    }

    fn judge<T, E, C: Classify<T, E> + ?Sized>(&mut self, result: &Result<T, E>, rules: &C) {
        if let Held::Call(permit) = self.held.take() {
            permit.settle(result, rules);
        }
    }

    /// Returns `true` if the call has not been recorded yet.
    pub(crate) fn is_held(&self) -> bool {
        !matches!(self.held, Held::Nothing)
    }

    /// Ends the duration of the call and records a probe as a success.
    pub(crate) fn first_data(&mut self) {
        let Held::Call(permit) = &self.held else { return };
        // Measured before the probe is settled, which takes the permit and its start.
        if !self.measure_to_end {
            self.took = permit.elapsed();
        }
        if permit.is_probe() {
            self.settle_probe_slow();
        }
    }

    /// Releases the slot of a probe, which a long-lived stream must not hold until its end.
    #[cold]
    fn settle_probe_slow(&mut self) {
        if let Held::Call(permit) = self.held.take() {
            self.held = Held::Stream(permit.success_at_first_data());
        }
    }

    /// Records the outcome of the call.
    pub(crate) fn conclude(&mut self, outcome: Outcome, hint: Option<Duration>) {
        self.held.take().conclude(outcome, self.took, hint);
    }

    /// Abandons the call, whose outcome is unknown.
    pub(crate) fn abandon(&mut self) {
        match self.held.take() {
            Held::Call(permit) => permit.abandon(),
            // The end of a stream is counted only if it is recorded, so dropping it is enough.
            Held::Stream(_) | Held::Nothing => {}
        }
    }

    fn breaker(&self) -> Option<&CircuitBreaker> {
        match &self.held {
            Held::Call(permit) => Some(permit.breaker()),
            Held::Stream(end) => Some(end.breaker()),
            Held::Nothing => None,
        }
    }
}

impl Held {
    #[inline]
    fn take(&mut self) -> Held {
        mem::replace(self, Held::Nothing)
    }

    #[inline]
    fn conclude(self, outcome: Outcome, took: Option<Duration>, hint: Option<Duration>) {
        match self {
            Held::Call(permit) => permit.report(Report::from(outcome).took(took).retry_after(hint)),
            Held::Stream(end) => end.record(outcome, took, hint),
            Held::Nothing => {}
        }
    }
}

/// Records a failure if a panic unwinds through the poll that holds it.
struct FailsInPanic<'a>(&'a mut Held);

impl Drop for FailsInPanic<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.take().conclude(Outcome::Failure, None, None);
    }
}

/// Returns the hint of a failure, or [`None`] if the rules panic.
fn hint_of<B, E, C: Classify<Response<B>, E>>(
    rules: &C,
    result: &Result<Response<B>, E>,
) -> Option<Duration> {
    catch_panic(|| rules.retry_after(result)).flatten()
}

impl Drop for WatchedCall {
    #[inline]
    fn drop(&mut self) {
        if self.is_held() {
            self.drop_slow();
        }
    }
}

impl WatchedCall {
    /// Records a call that is dropped before its end.
    #[cold]
    fn drop_slow(&mut self) {
        // A caller that drops the call at its own deadline has measured a timeout, which is a failure of the callee.
        if self.timed_out() {
            self.conclude(Outcome::Failure, None);
        } else {
            self.abandon();
        }
    }
}
