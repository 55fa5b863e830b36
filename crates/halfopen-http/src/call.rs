use std::any::Any;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use halfopen::adapter::{StreamEnd, catch_panic};
use halfopen::{CircuitBreaker, Classify, Outcome, OwnedPermit, Report};
use http::{Method, Response};
use http_body::Body;

use crate::body::Expected;
use crate::cause::outcome_of;
use crate::{ClassifyHead, Head, WatchedBody};

/// One call on its way: its permit, and what is known of its time.
///
/// What every adapter needs between sending a request and handing its response up. Keep it in the
/// future of the call, poll the inner future through [`poll_with`](Self::poll_with), and give the
/// result to [`finish`](Self::finish): what the head decides is recorded then, the rest by the
/// [`WatchedBody`] of the response.
///
/// Dropped before that, the call is abandoned; if its [`timeout`](Self::timeout) has passed by then,
/// it is a failure.
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
    /// None while it lies on the stack of `poll_with`, and once it is settled.
    permit: Option<OwnedPermit>,
    /// Set once a probe was settled by the first data.
    stream_end: Option<StreamEnd>,
    /// On the breaker's clock.
    deadline: Option<Duration>,
    /// How long it took to the first data, if anything needs to know.
    took: Option<Duration>,
    measure_to_end: bool,
    /// A request whose response has no body.
    bodiless: bool,
    /// What the adapter knows of the errors of its client's bodies.
    body_errors: Option<JudgeError>,
}

/// What an error means, if this knows it.
pub(crate) type JudgeError = fn(&dyn Any) -> Option<Outcome>;

impl WatchedCall {
    /// A call under this permit, without a deadline.
    pub fn new(permit: OwnedPermit) -> WatchedCall {
        WatchedCall {
            permit: Some(permit),
            stream_end: None,
            deadline: None,
            took: None,
            measure_to_end: false,
            bodiless: false,
            body_errors: None,
        }
    }

    /// The request carries a deadline, this long from now on the breaker's clock.
    ///
    /// Once it has passed, a drop is a failure and not an abandonment, and an answer `Cancelled` is
    /// one too. See [`grpc_timeout`](crate::grpc_timeout). Nothing is cancelled by it.
    pub fn timeout(mut self, timeout: Duration) -> WatchedCall {
        self.deadline = self.breaker().map(|breaker| breaker.now().saturating_add(timeout));
        self
    }

    /// The time that the call took (for a slow-call rule) ends with the body, not with its first data.
    ///
    /// Without this a stream that lives for days is not slow; with it a slow download is.
    pub fn measure_to_end(mut self) -> WatchedCall {
        self.measure_to_end = true;
        self
    }

    /// The method of the request: the length in the answer to a `HEAD` is that of a body which does not
    /// come, so that its end is no cut.
    pub fn method(mut self, method: &Method) -> WatchedCall {
        self.bodiless = method == Method::HEAD;
        self
    }

    /// Asks `judge` first what an error of the body means; where it has no answer the error is a failure,
    /// or ignored if it is a rejection.
    ///
    /// For adapters that know the error type of their client's bodies, which here can be anything: a
    /// rejection in a chain that only they can walk, a stream that the caller has cancelled.
    pub fn body_errors(mut self, judge: fn(&dyn Any) -> Option<Outcome>) -> WatchedCall {
        self.body_errors = Some(judge);
        self
    }

    /// What an error of the body means. A panic in the adapter's judge is its having no answer.
    pub(crate) fn outcome_of_body_error<E: 'static>(&self, error: &E) -> Outcome {
        let judged = self.body_errors.and_then(|judge| catch_panic(|| judge(error)).flatten());
        judged.unwrap_or_else(|| outcome_of(error))
    }

    /// Whether the request's own deadline has passed.
    pub fn timed_out(&self) -> bool {
        match (self.breaker(), self.deadline) {
            (Some(breaker), Some(deadline)) => breaker.now() >= deadline,
            (None, _) | (_, None) => false,
        }
    }

    /// Polls what does the work; a panic that comes out of it is a failure, and goes on.
    pub fn poll_with<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        // Bare on this stack, the permit itself sees the panic pass. Later, in a drop, a panic
        // would be that of somebody else in the same task.
        let permit = self.permit.take();
        let mut end = FailsInPanic(self.stream_end.take());
        let polled = poll();
        self.permit = permit;
        self.stream_end = end.0.take();
        polled
    }

    /// Records what the result says so far, and hands it up with a body that records the rest.
    ///
    /// An error is judged by `rules`. An answer is judged at its head where that suffices, with its
    /// `Retry-After` or pushback as the hint of a failure; else the permit goes into the body.
    ///
    /// # Errors
    ///
    /// The error of the result, unchanged.
    pub fn finish<B, E, C>(
        mut self,
        rules: &C,
        result: Result<Response<B>, E>,
    ) -> Result<Response<WatchedBody<B>>, E>
    where
        B: Body,
        C: ClassifyHead + Classify<Response<B>, E>,
    {
        let Ok(response) = &result else {
            self.judge(&result, rules);
            return result.map(|response| response.map(WatchedBody::unwatched));
        };
        // Rules may be a user's: the answer goes up whatever they do.
        let timed_out = self.timed_out();
        match catch_panic(|| rules.classify_head(response, timed_out)) {
            Some(Head::Decided(Outcome::Failure)) => self.conclude(Outcome::Failure, hint_of(rules, &result)),
            Some(Head::Decided(outcome)) => self.conclude(outcome, None),
            Some(head) => return result.map(|response| self.watched(head, response)),
            // The breaker asks once more, counts the panic and falls back to its default.
            None => self.settle(&result, rules),
        }
        result.map(|response| response.map(WatchedBody::unwatched))
    }

    /// Sends, watches and finishes: [`poll_with`](Self::poll_with) and [`finish`](Self::finish) in one,
    /// for adapters that are `async`.
    ///
    /// # Errors
    ///
    /// The error of `send`, unchanged.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the call: abandoned, or a failure if its timeout has passed.
    pub async fn watch<F, B, E, C>(mut self, rules: &C, send: F) -> Result<Response<WatchedBody<B>>, E>
    where
        F: Future<Output = Result<Response<B>, E>>,
        B: Body,
        C: ClassifyHead + Classify<Response<B>, E>,
    {
        let result = self.run(send).await;
        self.finish(rules, result)
    }

    /// Waits for `work` through [`poll_with`](Self::poll_with).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work; the call goes on until it is settled or dropped itself.
    pub async fn run<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| self.poll_with(|| work.as_mut().poll(context))).await
    }

    /// Records what the result says, whatever its type, and leaves a body unwatched.
    ///
    /// For clients whose response is no [`http::Response`].
    pub fn settle<T, E, C: Classify<T, E> + ?Sized>(mut self, result: &Result<T, E>, rules: &C) {
        self.judge(result, rules);
    }

    /// Returns the response, whose head the caller has judged a success, with a body that records the
    /// rest.
    pub fn watch_body<B: Body>(mut self, response: Response<B>) -> Response<WatchedBody<B>> {
        if self.poll_with(|| response.body().is_end_stream()) {
            self.conclude(Outcome::Success, None);
            return response.map(WatchedBody::unwatched);
        }
        self.watched(Head::IfBodyEnds, response)
    }

    fn watched<B: Body>(mut self, head: Head, response: Response<B>) -> Response<WatchedBody<B>> {
        let bodiless = self.bodiless;
        let expected = self.poll_with(|| Expected::of(head, &response, bodiless));
        response.map(|body| WatchedBody::watched(body, expected, self))
    }

    fn judge<T, E, C: Classify<T, E> + ?Sized>(&mut self, result: &Result<T, E>, rules: &C) {
        if let Some(permit) = self.permit.take() {
            permit.settle(result, rules);
        }
    }

    /// The first data is here: the time stops, and a probe has shown what it was sent for.
    pub(crate) fn first_data(&mut self) {
        let Some(permit) = &self.permit else { return };
        if !self.measure_to_end {
            self.took = permit.elapsed();
        }
        if permit.is_probe() {
            self.settle_probe();
        }
    }

    /// A stream can live for days; it must not hold a probe's slot for so long.
    fn settle_probe(&mut self) {
        self.stream_end = self.permit.take().map(OwnedPermit::success_at_first_data);
    }

    /// The call is over and ended like this.
    pub(crate) fn conclude(&mut self, outcome: Outcome, hint: Option<Duration>) {
        if let Some(permit) = self.permit.take() {
            permit.report(Report::from(outcome).took(self.took).retry_after(hint));
        } else if let Some(end) = self.stream_end.take() {
            end.record(outcome, self.took, hint);
        }
    }

    /// The call is over and nobody knows how it would have ended.
    pub(crate) fn abandon(&mut self) {
        self.stream_end = None;
        if let Some(permit) = self.permit.take() {
            permit.abandon();
        }
    }

    fn breaker(&self) -> Option<&CircuitBreaker> {
        let held = self.permit.as_ref().map(OwnedPermit::breaker);
        held.or(self.stream_end.as_ref().map(StreamEnd::breaker))
    }
}

/// On the stack of a poll: a panic that comes out of a stream is how the stream ends.
struct FailsInPanic(Option<StreamEnd>);

impl Drop for FailsInPanic {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end.record(Outcome::Failure, None, None);
        }
    }
}

/// The hint of a failure; rules that panic have none.
fn hint_of<B, E, C: Classify<Response<B>, E>>(
    rules: &C,
    result: &Result<Response<B>, E>,
) -> Option<Duration> {
    catch_panic(|| rules.retry_after(result)).flatten()
}

impl Drop for WatchedCall {
    fn drop(&mut self) {
        if self.timed_out() {
            self.conclude(Outcome::Failure, None);
        } else {
            self.abandon();
        }
    }
}
