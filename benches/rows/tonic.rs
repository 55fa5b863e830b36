use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use halfopen::Registry;
use halfopen_tonic::GrpcCircuitBreakerLayer;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use tower_layer::Layer;
use tower_service::Service;

use crate::configs;
use crate::harness::{Case, measure};
use crate::table::Group;

/// A unary call of a gRPC service that responds immediately, with a breaker in front of it.
pub(crate) fn group() -> Group {
    Group::of_timings("tonic, closed, success", &measure(cases()), "none", "")
}

pub(crate) fn cases() -> Vec<Case> {
    let one = || GrpcCircuitBreakerLayer::new(configs::warm(&configs::count()));
    let registry = Registry::builder().default_config(configs::count()).build();
    vec![
        case("none", AtOnce, call),
        case("one breaker", one().layer(AtOnce), call),
        case("per method", GrpcCircuitBreakerLayer::per_method(registry).layer(AtOnce), call),
        case("none, with a deadline", AtOnce, call_with_deadline),
        case("one breaker, with a deadline", one().layer(AtOnce), call_with_deadline),
    ]
}

fn case<S: 'static>(name: &str, mut service: S, call: fn(&mut S)) -> Case {
    Case::new(name, move |calls| {
        for _ in 0..calls {
            call(&mut service);
        }
    })
}

fn call<S, B>(service: &mut S)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: BodyExt + Unpin,
{
    whole(service, request());
}

/// The layer reads the deadline that a request carries.
fn call_with_deadline<S, B>(service: &mut S)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: BodyExt + Unpin,
{
    let mut request = request();
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("1S"));
    whole(service, request);
}

fn request() -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static("/shop.v1.Inventory/Count");
    request
}

/// One call, read to its trailers as tonic reads it; it never waits.
fn whole<S, B>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: BodyExt + Unpin,
{
    let context = &mut Context::from_waker(Waker::noop());
    let ready = matches!(service.poll_ready(context), Poll::Ready(Ok(())));
    assert!(ready, "the service is always ready");
    let read = async {
        let Ok(answer) = service.call(request).await else { return false };
        let mut body = answer.into_body();
        let message = body.frame().await.and_then(Result::ok).is_some_and(|frame| frame.is_data());
        let trailers = body.frame().await.and_then(Result::ok).is_some_and(|frame| frame.is_trailers());
        message && trailers
    };
    match pin!(read).poll(context) {
        Poll::Ready(done) => assert!(black_box(done), "the answer is whole"),
        Poll::Pending => unreachable!("the answer is there at once"),
    }
}

/// A message and trailers, without a network.
#[derive(Clone)]
struct AtOnce;

type Answer = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;

impl Service<Request<()>> for AtOnce {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Answer>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let message = Full::new(Bytes::from_static(b"\0\0\0\0\0"));
        ready(Ok(Response::new(message.with_trailers(ready(Some(Ok(trailers)))))))
    }
}
