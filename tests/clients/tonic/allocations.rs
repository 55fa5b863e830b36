//! A permitted unary call costs no allocation beyond those of the bare stack.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use halfopen::Registry;
use halfopen_tonic::GrpcCircuitBreakerLayer;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, combinators::WithTrailers};
use tower::{Layer, Service, ServiceExt};

use crate::Scene;

/// The system allocator, counting per thread, because other tests run concurrently.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; it passes everything on to the system's"
)]
// SAFETY: every call is forwarded to `System` with the same arguments; counting touches a thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract for `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A unary response that is ready immediately: a message and trailers.
#[derive(Clone)]
struct AtOnce;

type Body = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;

impl Service<Request<()>> for AtOnce {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        let message = Full::new(Bytes::from_static(b"\0\0\0\0\0"));
        ready(Ok(Response::new(message.with_trailers(ready(Some(Ok(trailers)))))))
    }
}

/// One call, read to its trailers as tonic reads it.
async fn allocations_of<S, B>(service: &mut S) -> u64
where
    S: Service<Request<()>, Response = Response<B>, Error: std::fmt::Debug>,
    B: http_body_util::BodyExt<Error: std::fmt::Debug> + Unpin,
{
    let mut request = Request::new(());
    *request.uri_mut() = http::Uri::from_static("/shop.v1.Inventory/Count");
    request.headers_mut().insert("grpc-timeout", http::HeaderValue::from_static("1S"));
    let before = ALLOCATIONS.get();
    let mut body = service.ready().await.unwrap().call(request).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().unwrap().is_data());
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
    drop(body);
    ALLOCATIONS.get() - before
}

#[tokio::test]
async fn the_layer_allocates_nothing_on_a_permitted_call() {
    let bare = allocations_of(&mut AtOnce).await;
    let scene = Scene::new();
    let mut layered = scene.layer().layer(AtOnce);
    // The first call of a thread may initialize state.
    allocations_of(&mut layered).await;
    assert_eq!(allocations_of(&mut layered).await, bare);
    assert_eq!(scene.ended(), "success success");
}

#[tokio::test]
async fn one_breaker_per_method_then_allocates_nothing() {
    let bare = allocations_of(&mut AtOnce).await;
    let mut layered = GrpcCircuitBreakerLayer::per_method(Registry::new()).layer(AtOnce);
    allocations_of(&mut layered).await;
    assert_eq!(allocations_of(&mut layered).await, bare);
}
