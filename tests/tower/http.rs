//! The layer for HTTP services: statuses, bodies, keys, and the readiness of the layer for any service.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream;
use halfopen::{BoxError, CircuitBreaker, Outcome, Registry, State};
use halfopen_http::HttpClassify;
use halfopen_tower::{CircuitBreakerLayer, HttpCircuitBreakerLayer};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::waiter::pass;
use crate::world::{WAIT, World, finish};

type Step = Result<Frame<Bytes>, BoxError>;
type Answer = Response<StreamBody<stream::Iter<std::vec::IntoIter<Step>>>>;

/// A server that responds with the status in the path, and with a body that breaks off for `/broken`.
#[derive(Clone)]
struct Server;

impl Service<Request<()>> for Server {
    type Response = Answer;
    type Error = Infallible;
    type Future = Ready<Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/');
        let data = Ok(Frame::data(Bytes::from_static(b"data")));
        let frames = if path == "broken" { vec![data, Err("connection reset".into())] } else { vec![data] };
        let response = Response::builder().status(path.parse().unwrap_or(200));
        ready(Ok(response.body(StreamBody::new(stream::iter(frames))).unwrap()))
    }
}

fn to(path: &str) -> Request<()> {
    Request::get(format!("http://storage.internal/{path}")).body(()).unwrap()
}

/// Reads a response to its end.
async fn read<B: Body>(response: Response<B>) -> Result<(), B::Error> {
    response.into_body().collect().await.map(drop)
}

#[tokio::test]
async fn the_first_example_opens_on_a_503() {
    let world = World::new();
    let mut client = HttpCircuitBreakerLayer::new(world.breaker.clone()).layer(Server);

    for _ in 0..3 {
        let response = client.ready().await.unwrap().call(to("503")).await.unwrap();
        assert_eq!(response.status(), 503, "the answer goes up as it is");
    }

    assert_eq!(world.breaker.state(), State::Open);
    let rejected = client.ready().await.unwrap().call(to("200")).await.unwrap_err();
    assert_eq!(halfopen::rejection(&*rejected).unwrap().name(), "inner");
}

#[tokio::test]
async fn a_body_that_breaks_is_a_failure() {
    let world = World::new();
    let mut client = HttpCircuitBreakerLayer::new(world.breaker.clone()).layer(Server);

    for _ in 0..3 {
        let response = client.ready().await.unwrap().call(to("broken")).await.unwrap();
        assert!(read(response).await.is_err());
    }

    assert_eq!((world.totals().failures, world.breaker.state()), (3, State::Open));
}

#[tokio::test]
async fn a_call_is_a_success_when_its_body_ends() {
    let world = World::new();
    let mut client = HttpCircuitBreakerLayer::new(world.breaker.clone()).layer(Server);
    for path in ["200", "404", "501"] {
        let response = client.ready().await.unwrap().call(to(path)).await.unwrap();
        let before = world.totals().calls();
        read(response).await.unwrap();
        assert_eq!(world.totals().calls(), before + 1, "{path} is recorded at the end of its body");
    }

    assert_eq!(world.totals().successes, 3);
}

#[tokio::test]
async fn one_key_opens_and_the_others_stay_closed() {
    let registry = Registry::new();
    let layer = HttpCircuitBreakerLayer::keyed(registry.clone(), |request: &Request<()>| {
        Cow::Borrowed(request.uri().path())
    });
    let mut client = layer.layer(Server);
    registry.get_or_create("/503").force_open();

    assert!(client.ready().await.unwrap().call(to("503")).await.is_err());
    read(client.ready().await.unwrap().call(to("200")).await.unwrap()).await.unwrap();

    assert_eq!(registry.get("/200").unwrap().snapshot().totals.successes, 1);
}

#[tokio::test]
async fn rules_decide_which_statuses_are_failures() {
    let world = World::new();
    let rules = HttpClassify::new().rule(404..=404, Outcome::Failure).unwrap();
    let mut client = HttpCircuitBreakerLayer::new(world.breaker.clone()).classify(rules).layer(Server);

    read(client.ready().await.unwrap().call(to("404")).await.unwrap()).await.unwrap();

    assert_eq!(world.totals().failures, 1);
}

#[tokio::test]
async fn a_rejection_can_be_answered() {
    let world = World::new();
    world.breaker.trip();
    let layer = HttpCircuitBreakerLayer::new(world.breaker.clone());
    let layer = layer.on_rejected(|rejected, _: Request<()>| {
        Ok::<_, Infallible>(halfopen_http::rejected_response(&rejected).map(|()| Full::<Bytes>::default()))
    });
    let inner =
        service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))));

    let response = layer.layer(inner).oneshot(to("200")).await.unwrap();

    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"10".parse().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_waited_for() {
    let world = World::new();
    world.breaker.trip();
    let client = HttpCircuitBreakerLayer::new(world.breaker.clone()).wait_while_open().layer(Server);
    let call = tokio::spawn(client.oneshot(to("200")));
    tokio::task::yield_now().await;
    assert!(!call.is_finished());

    pass(&world, WAIT + crate::waiter::ALMOST).await;

    read(call.await.unwrap().unwrap()).await.unwrap();
    assert_eq!(world.breaker.state(), State::Closed);
}

#[tokio::test]
async fn an_idle_rejected_clone_blocks_no_healthy_key() {
    let registry = Registry::new();
    registry.get_or_create("/sick").force_open();
    let service = ServiceBuilder::new()
        .layer(HttpCircuitBreakerLayer::keyed(registry, |request: &Request<()>| {
            Cow::Borrowed(request.uri().path())
        }))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(Server);
    let (mut idle, busy) = (service.clone(), service.clone());

    assert!(idle.ready().await.unwrap().call(to("sick")).await.is_err());

    assert!(finish(busy.oneshot(to("200"))).is_ok());
}

#[tokio::test]
async fn an_error_of_poll_ready_while_open_is_no_rejection() {
    struct Dies(CircuitBreaker);
    impl Service<Request<()>> for Dies {
        type Response = Response<Empty<Bytes>>;
        type Error = BoxError;
        type Future = Ready<Result<Self::Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            self.0.trip();
            Poll::Ready(Err("the worker died".into()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            ready(Ok(Response::new(Empty::new())))
        }
    }
    let world = World::new();
    let mut service = HttpCircuitBreakerLayer::new(world.breaker.clone()).layer(Dies(world.breaker.clone()));

    let polled = service.poll_ready(&mut Context::from_waker(Waker::noop()));

    assert!(matches!(polled, Poll::Ready(Err(error)) if error.to_string() == "the worker died"));
    assert_eq!(world.totals().rejected, 0);
}

#[tokio::test]
async fn a_breaker_further_in_is_no_failure() {
    let (outer, inner) = (World::new(), World::new());
    inner.breaker.trip();
    let service = ServiceBuilder::new()
        .layer(HttpCircuitBreakerLayer::new(outer.breaker.clone()))
        .layer(CircuitBreakerLayer::new(inner.breaker.clone()))
        .service(Server);

    assert!(service.oneshot(to("200")).await.is_err());

    assert_eq!((outer.totals().ignored, outer.totals().calls()), (1, 1));
}

#[tokio::test]
async fn a_load_shed_further_in_is_no_failure() {
    let world = World::new();
    let service = ServiceBuilder::new()
        .layer(HttpCircuitBreakerLayer::new(world.breaker.clone()))
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(|_: Request<()>| {
            std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>()
        }));
    let mut busy = service.clone();
    let call = tokio::spawn(busy.ready().await.unwrap().call(to("200")));
    tokio::task::yield_now().await;

    assert!(service.oneshot(to("200")).await.is_err());

    assert_eq!((world.totals().ignored, world.totals().failures), (1, 0));
    call.abort();
}
