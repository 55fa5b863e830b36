use std::any::Any;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::Duration;

use fusebox::{
    Abandoned, BoxError, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Classify, Clock,
    HalfOpen, ManualClock, Rejected, State, Totals, Trip,
};
use http::Response;

use super::*;
use crate::{ClassifyHead, GrpcClassify, HttpClassify, TypedErrors};

const SECOND: Duration = Duration::from_secs(1);

// ---- plain HTTP -------------------------------------------------------------------------------

#[test]
fn a_good_head_waits_for_the_body() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data()]);
    assert_eq!(scene.ended(), "");

    body.read();
    assert_eq!(scene.ended(), "");
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_failing_status_is_recorded_at_the_head_with_its_hint() {
    let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(1)).open_duration(SECOND));
    let response = Response::builder().status(503).header("retry-after", "30");
    let body = scene.finish(&HttpClassify::new(), response, Script::of([data()]));

    assert!(!body.is_watched());
    assert_eq!(scene.ended(), "failure");
    assert_eq!(scene.breaker.snapshot().retry_after, Some(30 * SECOND));
}

#[test]
fn an_answer_without_a_body_is_recorded_at_the_head() {
    let scene = Scene::new();
    drop(scene.finish(&HttpClassify::new(), Response::builder(), Script::of([]).of_known_length()));
    assert_eq!(scene.ended(), "success");
}

#[test]
fn an_ignored_status_is_ignored_at_the_head() {
    let scene = Scene::new();
    let rules = HttpClassify::new().rule(429..=429, Outcome::Ignored).unwrap();
    drop(scene.finish(&rules, Response::builder().status(429), Script::of([data()])));
    assert_eq!(scene.ended(), "ignored");
}

#[test]
fn the_last_byte_of_a_known_length_is_the_end() {
    let scene = Scene::new();
    let script = Script::of([data(), data()]).of_known_length();
    let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);

    body.read();
    assert_eq!(scene.ended(), "");
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn trailers_end_a_plain_body_well() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data(), trailers(&[("checksum", "1")])]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_broken_body_is_a_failure() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data(), broken()]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_rejection_by_a_breaker_further_in_is_ignored() {
    let scene = Scene::new();
    let mut body = scene.http(200, [Step::Error(io::Error::other(rejection()).into())]);
    body.read();
    assert_eq!(scene.ended(), "ignored");
}

#[test]
fn an_adapter_that_knows_an_error_of_the_body_is_asked_first() {
    fn judge(error: &dyn Any) -> Option<Outcome> {
        let cancelled =
            error.downcast_ref::<BoxError>().is_some_and(|error| error.to_string() == "cancelled");
        cancelled.then_some(Outcome::Ignored)
    }
    for (error, expected) in [("cancelled", "ignored"), ("broken", "failure")] {
        let scene = Scene::new();
        let call = WatchedCall::new(scene.breaker.try_acquire_owned().unwrap()).body_errors(judge);
        let body = Script::of([Step::Error(error.into())]);
        let answer = call.finish(&HttpClassify::new(), Ok::<_, BoxError>(Response::new(body)));
        answer.unwrap().into_body().read();
        assert_eq!(scene.ended(), expected);
    }
}

#[test]
fn an_adapter_that_panics_over_an_error_has_no_answer() {
    let scene = Scene::new();
    let call = WatchedCall::new(scene.breaker.try_acquire_owned().unwrap());
    let call = call.body_errors(|_| panic!("in the adapter"));
    let answer = call.finish(&HttpClassify::new(), Ok::<_, BoxError>(Response::new(Script::of([broken()]))));
    answer.unwrap().into_body().read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_reader_that_stops_is_content() {
    let scene = Scene::new();
    drop(scene.http(200, [data()]));
    assert_eq!(scene.ended(), "success");

    let scene = Scene::new();
    let mut body = scene.http(200, [data(), data()]);
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_reader_that_was_waiting_gave_up() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data(), Step::Pending]);
    body.read();
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "abandoned");
}

#[test]
fn giving_up_can_be_set_to_be_a_failure() {
    let scene = Scene::with(|config| config.abandoned(Abandoned::FailureAfter(5 * SECOND)));
    let mut body = scene.http(200, [Step::Pending]);
    body.read();
    scene.hands.advance(5 * SECOND);
    drop(body);
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn what_was_waited_for_and_came_is_no_giving_up() {
    let scene = Scene::new();
    let mut body = scene.http(200, [Step::Pending, data(), data()]);
    body.read();
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "success");
}

// ---- gRPC -------------------------------------------------------------------------------------

#[test]
fn a_unary_answer_is_recorded_at_its_trailers_not_at_the_end() {
    let scene = Scene::new();
    let mut body = scene.grpc([data(), status("0")]);
    body.read();
    assert_eq!(scene.ended(), "");
    body.read();
    assert_eq!(scene.ended(), "success");
    drop(body);
    assert_eq!(scene.ended(), "success");
}

#[test]
fn every_code_in_the_trailers_means_what_the_rules_say() {
    for code in GrpcCode::ALL {
        let scene = Scene::new();
        let mut body = scene.grpc([data(), status(&(code as u8).to_string())]);
        body.read();
        body.read();
        let expected = format!("{:?}", GrpcClassify::new().outcome(code)).to_lowercase();
        assert_eq!(scene.ended(), expected, "{code:?}");
    }
}

#[test]
fn a_status_in_the_head_needs_no_body() {
    for (code, expected) in [("5", "success"), ("14", "failure"), ("1", "ignored"), ("abc", "failure")] {
        let scene = Scene::new();
        let head = Response::builder().header("grpc-status", code);
        let body = scene.finish(&GrpcClassify::new(), head, Script::of([]).of_known_length());
        assert!(!body.is_watched());
        assert_eq!(scene.ended(), expected, "{code}");
    }
}

#[test]
fn a_proxys_503_needs_no_body() {
    let scene = Scene::new();
    drop(scene.finish(&GrpcClassify::new(), Response::builder().status(503), Script::of([data()])));
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn an_empty_answer_without_a_status_is_a_failure() {
    let scene = Scene::new();
    drop(scene.finish(&GrpcClassify::new(), Response::builder(), Script::of([]).of_known_length()));
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn an_end_without_trailers_is_a_failure() {
    let scene = Scene::new();
    let mut body = scene.grpc([data()]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn the_last_byte_of_a_known_length_leaves_no_room_for_trailers() {
    let scene = Scene::new();
    let script = Script::of([data()]).of_known_length();
    let mut body = scene.finish(&GrpcClassify::new(), Response::builder(), script);
    body.read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn trailers_without_a_status_or_with_a_senseless_one_are_a_failure() {
    for bad in [trailers(&[]), trailers(&[("grpc-message", "hi")]), status("abc"), status("17")] {
        let scene = Scene::new();
        let mut body = scene.grpc([data(), bad]);
        body.read();
        body.read();
        assert_eq!(scene.ended(), "failure");
    }
}

#[test]
fn details_that_are_not_base64_are_not_looked_at() {
    let scene = Scene::new();
    let mut body =
        scene.grpc([data(), trailers(&[("grpc-status", "5"), ("grpc-status-details-bin", "%%%")])]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_broken_stream_is_a_failure() {
    let scene = Scene::new();
    let mut body = scene.grpc([data(), broken()]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_pushback_in_the_trailers_lengthens_the_wait() {
    let scene = Scene::with(|config| config.trip(Trip::consecutive_failures(1)).open_duration(SECOND));
    let pushback = trailers(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", "45000")]);
    let mut body = scene.grpc([data(), pushback]);
    body.read();
    body.read();
    assert_eq!(scene.breaker.snapshot().retry_after, Some(45 * SECOND));
}

#[test]
fn a_subscriber_that_leaves_says_nothing() {
    let scene = Scene::new();
    let mut body = scene.grpc([data(), Step::Pending]);
    body.read();
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "ignored");
}

#[test]
fn a_drop_before_any_data_is_an_abandonment() {
    let scene = Scene::new();
    let mut body = scene.grpc([Step::Pending]);
    body.read();
    drop(body);
    assert_eq!(scene.ended(), "abandoned");
}

// ---- the request's own deadline ---------------------------------------------------------------

#[test]
fn a_drop_after_the_deadline_is_a_failure_and_before_it_is_not() {
    for (waited, expected) in [(SECOND, "failure"), (SECOND - Duration::from_nanos(1), "ignored")] {
        let scene = Scene::new();
        let call = scene.call().timeout(SECOND);
        let mut body = scene.answer(call, &GrpcClassify::new(), Response::builder(), [data(), Step::Pending]);
        body.read();
        body.read();
        scene.hands.advance(waited);
        drop(body);
        assert_eq!(scene.ended(), expected);
    }
}

#[test]
fn a_call_dropped_before_its_head_is_judged_by_the_deadline_too() {
    let scene = Scene::new();
    drop(scene.call());
    assert_eq!(scene.ended(), "abandoned");

    let scene = Scene::new();
    let call = scene.call().timeout(SECOND);
    scene.hands.advance(SECOND);
    drop(call);
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn cancelled_after_the_deadline_is_a_failure() {
    for (waited, expected) in [(SECOND, "failure"), (Duration::ZERO, "ignored")] {
        let scene = Scene::new();
        let call = scene.call().timeout(SECOND);
        scene.hands.advance(waited);
        let head = Response::builder().header("grpc-status", "1");
        drop(scene.answer(call, &GrpcClassify::new(), head, []));
        assert_eq!(scene.ended(), expected);

        let scene = Scene::new();
        let call = scene.call().timeout(SECOND);
        let script = [data(), status("1")];
        let mut body = scene.answer(call, &GrpcClassify::new(), Response::builder(), script);
        body.read();
        scene.hands.advance(waited);
        body.read();
        assert_eq!(scene.ended(), expected);
    }
}

#[test]
fn a_good_answer_after_the_deadline_is_still_good() {
    let scene = Scene::new();
    let call = scene.call().timeout(SECOND);
    scene.hands.advance(2 * SECOND);
    let mut body = scene.answer(call, &GrpcClassify::new(), Response::builder(), [data(), status("0")]);
    body.read();
    body.read();
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_deadline_that_never_comes_does_not_overflow() {
    let scene = Scene::new();
    let call = scene.call().timeout(Duration::MAX);
    assert!(!call.timed_out());
    drop(call);
    assert_eq!(scene.ended(), "abandoned");
}

// ---- probes -----------------------------------------------------------------------------------

#[test]
fn the_first_data_settles_a_probe_and_the_rest_is_a_call_of_its_own() {
    let scene = Scene::half_open(HalfOpen::new());
    let mut body = scene.grpc([data(), data(), status("14")]);
    assert_eq!(scene.breaker.state(), State::HalfOpen);

    body.read();
    assert_eq!(scene.breaker.state(), State::Closed);
    body.read();
    assert_eq!(scene.breaker.snapshot().counts.calls, 0);

    body.read();
    let counts = scene.breaker.snapshot().counts;
    assert_eq!((counts.calls, counts.failures), (1, 1));
}

#[test]
fn what_follows_a_probe_counts_nowhere_but_in_closed() {
    let scene = Scene::half_open(HalfOpen::new().success_threshold(2));
    let mut body = scene.grpc([data(), status("14")]);
    body.read();
    body.read();
    assert_eq!(scene.breaker.state(), State::HalfOpen);
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_stream_dropped_after_its_probe_was_settled_says_no_more() {
    let scene = Scene::half_open(HalfOpen::new());
    let mut body = scene.grpc([data(), Step::Pending]);
    body.read();
    drop(body);
    assert_eq!(scene.breaker.state(), State::Closed);
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_dropped_probe_gives_its_slot_back() {
    let scene = Scene::half_open(HalfOpen::new());
    let body = scene.grpc([Step::Pending]);
    assert!(scene.breaker.check().is_err());
    drop(body);
    assert!(scene.breaker.check().is_ok());
    assert_eq!(scene.ended(), "abandoned");
}

#[test]
fn a_probe_that_fails_before_any_data_reopens() {
    for script in [vec![broken()], vec![status("14")], vec![]] {
        let scene = Scene::half_open(HalfOpen::new());
        let mut body = scene.grpc(script);
        body.read();
        assert_eq!(scene.breaker.state(), State::Open);
    }
}

#[test]
fn a_probe_whose_only_frame_is_the_end_is_judged_by_the_end() {
    let scene = Scene::half_open(HalfOpen::new());
    let script = Script::of([data()]).of_known_length();
    scene.finish(&GrpcClassify::new(), Response::builder(), script).read();
    assert_eq!(scene.breaker.state(), State::Open);
}

#[test]
fn a_plain_stream_settles_its_probe_by_its_first_data_too() {
    let scene = Scene::half_open(HalfOpen::new());
    let mut body = scene.http(200, [data(), broken()]);
    body.read();
    assert_eq!(scene.breaker.state(), State::Closed);
    body.read();
    assert_eq!(scene.breaker.snapshot().counts.failures, 1);
}

// ---- time -------------------------------------------------------------------------------------

#[test]
fn the_time_of_a_call_ends_with_its_first_data() {
    let scene = Scene::with(|config| config.trip(Trip::slow_call_rate(1.0, 10 * SECOND)));
    let mut body = scene.grpc([data(), status("0")]);
    scene.hands.advance(SECOND);
    body.read();
    scene.hands.advance(60 * SECOND);
    body.read();

    let totals = scene.breaker.snapshot().totals;
    assert_eq!((totals.successes, totals.slow, totals.response_time), (1, 0, SECOND));
}

#[test]
fn a_failure_with_a_hint_keeps_the_time_of_its_first_data() {
    let scene = Scene::with(|config| config.trip(Trip::slow_call_rate(1.0, 10 * SECOND)));
    let mut body = scene.grpc([data(), trailers(&[("grpc-status", "14"), ("retry-after", "9")])]);
    scene.hands.advance(SECOND);
    body.read();
    scene.hands.advance(60 * SECOND);
    body.read();

    let totals = scene.breaker.snapshot().totals;
    assert_eq!((totals.failures, totals.slow, totals.response_time), (1, 0, SECOND));
}

#[test]
fn it_can_be_measured_to_the_end() {
    let scene = Scene::with(|config| config.trip(Trip::slow_call_rate(1.0, 10 * SECOND)));
    let call = scene.call().measure_to_end();
    let mut body = scene.answer(call, &GrpcClassify::new(), Response::builder(), [data(), status("0")]);
    body.read();
    scene.hands.advance(60 * SECOND);
    body.read();
    assert_eq!(scene.breaker.snapshot().totals.slow, 1);
}

#[test]
fn what_needs_no_time_reads_none() {
    let scene = Scene::new();
    let mut body = scene.grpc([data(), status("0")]);
    body.read();
    body.read();
    assert_eq!(scene.breaker.snapshot().totals.timed, 0);
}

// ---- panics -----------------------------------------------------------------------------------

#[test]
fn a_panic_out_of_the_body_is_a_failure_and_goes_on() {
    let scene = Scene::new();
    let mut body = scene.http(200, [Step::Panic]);
    assert!(catch_unwind(AssertUnwindSafe(|| body.read())).is_err());
    assert_eq!(scene.ended(), "failure");
    drop(body);
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn a_panic_elsewhere_in_the_task_is_an_abandonment() {
    let scene = Scene::new();
    let body = scene.grpc([data()]);
    let task = catch_unwind(AssertUnwindSafe(|| {
        let _body = body;
        panic!("somebody else's");
    }));
    assert!(task.is_err());
    assert_eq!(scene.ended(), "abandoned");
}

#[test]
fn a_panic_out_of_the_sender_is_a_failure() {
    let scene = Scene::new();
    let mut call = scene.call();
    assert!(catch_unwind(AssertUnwindSafe(|| call.poll_with(|| panic!("in the client")))).is_err());
    assert_eq!(scene.ended(), "failure");
}

#[test]
fn rules_that_panic_are_counted_and_the_answer_goes_up() {
    struct Broken;
    impl ClassifyHead for Broken {
        fn classify_head<B: Body>(&self, _: &Response<B>, _: bool) -> Head {
            panic!("a bug in the rules");
        }
    }
    impl<B> Classify<Response<B>, Infallible> for Broken {
        fn classify(&self, _: &Result<Response<B>, Infallible>) -> Outcome {
            panic!("a bug in the rules");
        }
    }

    let scene = Scene::new();
    let mut body = scene.finish(&Broken, Response::builder(), Script::of([data()]));
    assert!(matches!(body.frame(), Poll::Ready(Some(Ok(_)))));
    assert_eq!(scene.ended(), "success");
    assert_eq!(scene.totals().panics, 1);
}

// ---- errors instead of an answer --------------------------------------------------------------

#[test]
fn an_error_is_a_failure_unless_it_is_a_rejection() {
    let end = |error: BoxError| {
        let scene = Scene::new();
        let result = scene.call().finish(&HttpClassify::new(), Err::<Response<Script>, _>(error));
        assert!(result.is_err());
        scene.ended()
    };
    assert_eq!(end("connection refused".into()), "failure");
    assert_eq!(end(io::Error::from(io::ErrorKind::TimedOut).into()), "failure");
    assert_eq!(end(Box::new(rejection())), "ignored");
    assert_eq!(end(io::Error::other(rejection()).into()), "ignored");
}

#[test]
fn a_rejection_deep_in_a_typed_error_is_found_by_typed_errors() {
    #[derive(Debug)]
    struct Client(Rejected);
    impl fmt::Display for Client {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no connection")
        }
    }
    impl std::error::Error for Client {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    let rules: TypedErrors<GrpcClassify> = GrpcClassify::new().typed_errors();
    let result: Result<Response<Script>, _> = Err(Client(rejection()));
    assert_eq!(rules.classify(&result), Outcome::Ignored);

    let scene = Scene::new();
    assert!(scene.call().finish(&rules, result).is_err());
    assert_eq!(scene.ended(), "ignored");
}

// ---- what is passed through -------------------------------------------------------------------

#[test]
fn frames_hints_and_the_end_are_those_of_the_body_within() {
    let scene = Scene::new();
    let script = Script::of([data(), data()]).of_known_length();
    let mut body = scene.finish(&HttpClassify::new(), Response::builder(), script);

    assert_eq!(body.size_hint().exact(), Some(8));
    assert!(!body.is_end_stream());
    let Poll::Ready(Some(Ok(frame))) = body.frame() else { panic!("no frame") };
    assert_eq!(frame.into_data().unwrap(), &b"data"[..]);
    body.read();
    assert!(body.is_end_stream());
}

#[test]
fn a_body_read_on_after_its_end_records_nothing_more() {
    let scene = Scene::new();
    let mut body = scene.http(200, [data()]);
    for _ in 0..4 {
        body.read();
    }
    assert_eq!(scene.ended(), "success");
}

#[test]
fn a_default_body_belongs_to_no_call() {
    let body = WatchedBody::<String>::default();
    assert!(!body.is_watched());
    assert!(body.is_end_stream());
}

#[test]
fn it_crosses_threads_if_the_body_does() {
    fn crosses_threads<T: Send + Sync + Unpin + 'static>() {}
    crosses_threads::<WatchedBody<String>>();
    crosses_threads::<WatchedCall>();
}

#[test]
fn watching_adds_little_to_a_body() {
    let added = size_of::<WatchedBody<Script>>() - size_of::<Script>();
    assert!(added <= 144, "{added} bytes");
}

// ---- helpers ----------------------------------------------------------------------------------

/// One breaker with its clock, and what became of the calls made through it.
struct Scene {
    breaker: CircuitBreaker,
    hands: ManualClock,
    before: Totals,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(|config| config)
    }

    fn with(change: impl FnOnce(CircuitBreakerConfigBuilder) -> CircuitBreakerConfigBuilder) -> Scene {
        let (clock, hands) = Clock::manual();
        let config = change(CircuitBreakerConfig::builder()).build().unwrap();
        let breaker = CircuitBreaker::builder("peer").config(config).clock(clock).build();
        let before = breaker.snapshot().totals;
        Scene { breaker, hands, before }
    }

    fn half_open(half_open: HalfOpen) -> Scene {
        let scene = Scene::with(|config| config.half_open(half_open));
        scene.breaker.open_for(SECOND);
        scene.hands.advance(SECOND);
        scene
    }

    fn call(&self) -> WatchedCall {
        WatchedCall::new(self.breaker.try_acquire_owned().unwrap())
    }

    fn http(&self, status: u16, steps: impl IntoIterator<Item = Step>) -> WatchedBody<Script> {
        self.answer(self.call(), &HttpClassify::new(), Response::builder().status(status), steps)
    }

    fn grpc(&self, steps: impl IntoIterator<Item = Step>) -> WatchedBody<Script> {
        self.answer(self.call(), &GrpcClassify::new(), Response::builder(), steps)
    }

    fn finish<C>(&self, rules: &C, head: http::response::Builder, script: Script) -> WatchedBody<Script>
    where
        C: ClassifyHead + Classify<Response<Script>, Infallible>,
    {
        finish(self.call(), rules, head, script)
    }

    fn answer<C>(
        &self,
        call: WatchedCall,
        rules: &C,
        head: http::response::Builder,
        steps: impl IntoIterator<Item = Step>,
    ) -> WatchedBody<Script>
    where
        C: ClassifyHead + Classify<Response<Script>, Infallible>,
    {
        finish(call, rules, head, Script::of(steps))
    }

    fn totals(&self) -> Totals {
        self.breaker.snapshot().totals
    }

    /// The outcomes that were recorded, in words.
    fn ended(&self) -> String {
        let (before, now) = (&self.before, self.totals());
        let words = [
            ("success", now.successes - before.successes),
            ("failure", now.failures - before.failures),
            ("ignored", now.ignored - before.ignored),
            ("abandoned", now.abandoned - before.abandoned),
            ("late", now.late - before.late),
        ];
        let words = words.into_iter().flat_map(|(word, times)| (0..times).map(move |_| word));
        words.collect::<Vec<_>>().join(" ")
    }
}

fn finish<C>(
    call: WatchedCall,
    rules: &C,
    head: http::response::Builder,
    script: Script,
) -> WatchedBody<Script>
where
    C: ClassifyHead + Classify<Response<Script>, Infallible>,
{
    let Ok(response) = call.finish(rules, Ok(head.body(script).unwrap()));
    response.into_body()
}

type Polled = Poll<Option<Result<Frame<&'static [u8]>, BoxError>>>;

impl WatchedBody<Script> {
    fn read(&mut self) {
        let _ = self.frame();
    }

    fn frame(&mut self) -> Polled {
        Pin::new(self).poll_frame(&mut Context::from_waker(Waker::noop()))
    }
}

fn rejection() -> Rejected {
    let breaker = CircuitBreaker::builder("further in").build();
    breaker.force_open();
    breaker.try_acquire().unwrap_err()
}

/// A body that does what it was told, one step a poll.
#[derive(Debug)]
struct Script {
    steps: VecDeque<Step>,
    known_length: bool,
}

#[derive(Debug)]
enum Step {
    Data,
    Trailers(HeaderMap),
    Error(BoxError),
    Pending,
    Panic,
}

impl Script {
    fn of(steps: impl IntoIterator<Item = Step>) -> Script {
        Script { steps: steps.into_iter().collect(), known_length: false }
    }

    fn of_known_length(mut self) -> Script {
        self.known_length = true;
        self
    }
}

impl Body for Script {
    type Data = &'static [u8];
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Data) => Some(Ok(Frame::data(&b"data"[..]))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Error(error)) => Some(Err(error)),
            Some(Step::Pending) => return Poll::Pending,
            Some(Step::Panic) => panic!("a bug in the body"),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.known_length && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.known_length { SizeHint::with_exact(4 * self.steps.len() as u64) } else { SizeHint::new() }
    }
}

fn data() -> Step {
    Step::Data
}

fn broken() -> Step {
    Step::Error(io::Error::from(io::ErrorKind::ConnectionReset).into())
}

fn status(code: &str) -> Step {
    trailers(&[("grpc-status", code)])
}

fn trailers(headers: &[(&'static str, &str)]) -> Step {
    Step::Trailers(
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
    )
}
