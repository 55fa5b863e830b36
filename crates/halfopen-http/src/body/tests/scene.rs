//! A call through a breaker, with a scripted body.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use halfopen::{
    BoxError, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Classify, Clock, HalfOpen,
    ManualClock, Rejected, Totals,
};
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};

use crate::{ClassifyHead, GrpcClassify, HttpClassify, WatchedBody, WatchedCall};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A breaker with its clock, and the outcomes of the calls made through it.
pub(super) struct Scene {
    pub(super) breaker: CircuitBreaker,
    pub(super) hands: ManualClock,
}

impl Scene {
    pub(super) fn new() -> Scene {
        Scene::with(|config| config)
    }

    pub(super) fn with(
        change: impl FnOnce(CircuitBreakerConfigBuilder) -> CircuitBreakerConfigBuilder,
    ) -> Scene {
        let (clock, hands) = Clock::manual();
        let config = change(CircuitBreakerConfig::builder()).build().unwrap();
        let breaker = CircuitBreaker::builder("peer").config(config).clock(clock).build();
        Scene { breaker, hands }
    }

    pub(super) fn half_open(half_open: HalfOpen) -> Scene {
        let scene = Scene::with(|config| config.half_open(half_open));
        scene.breaker.open_for(SECOND);
        scene.hands.advance(SECOND);
        scene
    }

    pub(super) fn call(&self) -> WatchedCall {
        WatchedCall::new(self.breaker.try_acquire_owned().unwrap())
    }

    pub(super) fn http(&self, status: u16, steps: impl IntoIterator<Item = Step>) -> WatchedBody<Script> {
        self.answer(self.call(), &HttpClassify::new(), Response::builder().status(status), steps)
    }

    pub(super) fn grpc(&self, steps: impl IntoIterator<Item = Step>) -> WatchedBody<Script> {
        self.answer(self.call(), &GrpcClassify::new(), Response::builder(), steps)
    }

    pub(super) fn finish<C>(
        &self,
        rules: &C,
        head: http::response::Builder,
        script: Script,
    ) -> WatchedBody<Script>
    where
        C: ClassifyHead + Classify<Response<Script>, Infallible>,
    {
        finish(self.call(), rules, head, script)
    }

    pub(super) fn answer<C>(
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

    pub(super) fn totals(&self) -> Totals {
        self.breaker.snapshot().totals
    }

    /// Returns the recorded outcomes as text.
    pub(super) fn ended(&self) -> String {
        let outcomes = self.totals().by_outcome();
        outcomes.flat_map(|(outcome, calls)| (0..calls).map(move |_| outcome)).collect::<Vec<_>>().join(" ")
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
    pub(super) fn read(&mut self) {
        let _ = self.frame();
    }

    pub(super) fn frame(&mut self) -> Polled {
        Pin::new(self).poll_frame(&mut Context::from_waker(Waker::noop()))
    }
}

pub(super) fn rejection() -> Rejected {
    let breaker = CircuitBreaker::builder("further in").build();
    breaker.force_open();
    breaker.try_acquire().unwrap_err()
}

/// A scripted body, which performs one step per poll.
#[derive(Debug)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    known_length: bool,
    /// The length in the head, regardless of the data.
    promised: Option<u64>,
    panics_at_end: bool,
}

#[derive(Debug)]
pub(super) enum Step {
    Data,
    Bytes(&'static [u8]),
    Trailers(HeaderMap),
    Error(BoxError),
    Pending,
    Panic,
}

impl Script {
    pub(super) fn of(steps: impl IntoIterator<Item = Step>) -> Script {
        Script {
            steps: steps.into_iter().collect(),
            known_length: false,
            promised: None,
            panics_at_end: false,
        }
    }

    pub(super) fn promising(mut self, bytes: u64) -> Script {
        self.promised = Some(bytes);
        self
    }

    /// Its `is_end_stream` panics.
    pub(super) fn panicking_at_end(mut self) -> Script {
        self.panics_at_end = true;
        self
    }

    pub(super) fn of_known_length(mut self) -> Script {
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
            Some(Step::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Error(error)) => Some(Err(error)),
            Some(Step::Pending) => return Poll::Pending,
            Some(Step::Panic) => panic!("a bug in the body"),
        })
    }

    fn is_end_stream(&self) -> bool {
        assert!(!self.panics_at_end || !self.steps.is_empty(), "a bug in the body");
        self.known_length && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if let Some(bytes) = self.promised {
            return SizeHint::with_exact(bytes);
        }
        if self.known_length { SizeHint::with_exact(4 * self.steps.len() as u64) } else { SizeHint::new() }
    }
}

pub(super) fn data() -> Step {
    Step::Data
}

pub(super) fn broken() -> Step {
    Step::Error(io::Error::from(io::ErrorKind::ConnectionReset).into())
}

pub(super) fn status(code: &str) -> Step {
    trailers(&[("grpc-status", code)])
}

pub(super) fn trailers(headers: &[(&'static str, &str)]) -> Step {
    Step::Trailers(
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
    )
}
