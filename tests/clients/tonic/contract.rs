//! The `Service` contract around an inner service that requires the readied instance to be called: what holds
//! for the layer for any service must hold for this one too.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use halfopen::{BoxError, CircuitBreaker, HalfOpen, Registry, State};
use halfopen_http::WatchedBody;
use halfopen_tonic::GrpcCircuitBreakerLayer;
use http::{Request, Response};
use http_body_util::Empty;
use tower::util::BoxCloneService;
use tower::{Layer, Service};

use crate::{SECOND, Scene};
use test_support::service::{Do, Inner, Journal, Readiness};

type Answer = Response<Empty<Bytes>>;
type Judged = Result<Response<WatchedBody<Empty<Bytes>>>, BoxError>;
type Layered = BoxCloneService<Request<Do>, Response<WatchedBody<Empty<Bytes>>>, BoxError>;

/// The scripted service as gRPC: a successful call ends with the status OK, in the head.
#[derive(Clone)]
struct Spoken(Inner);

impl Service<Request<Do>> for Spoken {
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(BoxError::from)
    }

    fn call(&mut self, request: Request<Do>) -> Self::Future {
        let done = self.0.call(request.into_body());
        Box::pin(async move {
            done.await?;
            Ok(Response::builder().header("grpc-status", "0").body(Empty::new())?)
        })
    }
}

/// A scene with its inner service in each layer, one after the other.
fn each(claim: impl Fn(&Scene, &Journal, Layered)) {
    let half_open = HalfOpen::new().probe_timeout(60 * SECOND);
    for layer in [one, per_method, per_service] {
        let scene = Scene::with(|config| config.half_open(half_open));
        let journal = Journal::default();
        let layered = layer(scene.breaker.clone(), Spoken(journal.service()));
        claim(&scene, &journal, layered);
    }
}

fn one(breaker: CircuitBreaker, inner: Spoken) -> Layered {
    BoxCloneService::new(GrpcCircuitBreakerLayer::new(breaker).layer(inner))
}

fn per_method(breaker: CircuitBreaker, inner: Spoken) -> Layered {
    BoxCloneService::new(GrpcCircuitBreakerLayer::per_method(only(breaker)).layer(inner))
}

fn per_service(breaker: CircuitBreaker, inner: Spoken) -> Layered {
    BoxCloneService::new(GrpcCircuitBreakerLayer::per_service(only(breaker)).layer(inner))
}

#[test]
fn the_instance_polled_ready_is_the_one_called() {
    each(|_, journal, mut service| {
        assert!((0..3).all(|_| ready(&mut service)));
        let _bystander = service.clone();
        finish(service.call(request(Do::Succeed))).unwrap();
        assert_eq!((journal.calls(), journal.reserved()), (1, 0));
    });
}

#[test]
fn readiness_is_not_cloned() {
    each(|_, journal, mut service| {
        assert!(ready(&mut service));
        journal.become_(Readiness::Stuck);
        assert!(!ready(&mut service.clone()));
        finish(service.call(request(Do::Succeed))).unwrap();
    });
}

#[test]
fn a_call_without_ready_is_rejected_while_open() {
    each(|scene, journal, mut service| {
        scene.breaker.force_open();
        let error = finish(service.call(request(Do::Succeed))).unwrap_err();
        assert!(halfopen::rejection(&*error).is_some());
        assert_eq!((journal.calls(), scene.breaker.snapshot().totals.rejected), (0, 1));
    });
}

#[test]
fn a_rejection_leaves_the_inner_instance_ready() {
    each(|scene, _, mut service| {
        assert!(ready(&mut service));
        scene.breaker.force_open();
        finish(service.call(request(Do::Succeed))).unwrap_err();
        scene.breaker.reset();
        assert!(ready(&mut service));
        finish(service.call(request(Do::Succeed))).unwrap();
    });
}

#[test]
fn panics_in_call_and_in_the_future_are_failures() {
    each(|scene, _, mut service| {
        for panics in [Do::PanicInCall, Do::PanicInFuture] {
            scene.about_to_probe();
            assert!(ready(&mut service));
            let panicked = catch_unwind(AssertUnwindSafe(|| finish(service.call(request(panics)))));
            assert!(panicked.is_err());
            assert_eq!(scene.breaker.state(), State::Open, "the probe failed");
        }
        assert_eq!(scene.ended(), "failure failure");
    });
}

#[test]
fn a_panic_elsewhere_abandons_a_healthy_call() {
    each(|scene, _, mut service| {
        scene.about_to_probe();
        assert!(ready(&mut service));
        let mut healthy = service.call(request(Do::Hang));
        assert!(poll(healthy.as_mut()).is_pending());
        let task = catch_unwind(AssertUnwindSafe(move || {
            let _healthy = healthy;
            panic!("elsewhere in the task");
        }));
        assert!(task.is_err());
        assert_eq!((scene.ended().as_str(), scene.breaker.state()), ("abandoned", State::HalfOpen));
    });
}

#[test]
fn a_call_from_before_the_trip_decides_no_visit() {
    each(|scene, _, mut service| {
        assert!(ready(&mut service));
        let early = service.call(request(Do::Succeed));
        scene.about_to_probe();
        assert!(ready(&mut service));
        let probe = service.call(request(Do::Succeed));
        finish(early).unwrap();
        assert_eq!((scene.ended().as_str(), scene.breaker.state()), ("late", State::HalfOpen));
        finish(probe).unwrap();
        assert_eq!(scene.breaker.state(), State::Closed);
    });
}

#[test]
fn a_probe_whose_future_is_leaked_reopens_in_time() {
    each(|scene, _, mut service| {
        scene.about_to_probe();
        assert!(ready(&mut service));
        let mut leaked = service.call(request(Do::Hang));
        assert!(poll(leaked.as_mut()).is_pending());
        std::mem::forget(leaked);
        scene.hands.advance(60 * SECOND);
        assert_eq!(scene.breaker.state(), State::Open);
        scene.hands.advance(SECOND);
        assert!(ready(&mut service));
        finish(service.call(request(Do::Succeed))).unwrap();
        assert_eq!(scene.breaker.state(), State::Closed);
    });
}

fn only(breaker: CircuitBreaker) -> Registry {
    let registry = Registry::new();
    registry.insert(breaker).unwrap();
    registry
}

/// A request to the method, and the service, that have the name of the scene's breaker.
fn request(what: Do) -> Request<Do> {
    Request::post("/inventory").body(what).unwrap()
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn ready(service: &mut Layered) -> bool {
    service.poll_ready(&mut Context::from_waker(Waker::noop())).map(Result::unwrap).is_ready()
}

fn finish(call: impl Future<Output = Judged>) -> Judged {
    match poll(pin!(call)) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the call is not done"),
    }
}
