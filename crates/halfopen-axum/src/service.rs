use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::response::Response;
use bytes::Bytes;
use halfopen::BoxError;
use http::Request;
use http_body::Body;
use tower_service::Service;

use crate::RouteFuture;
use crate::place::{Admitted, Place};
use crate::protection::Routes;

/// A service of an axum router, protected by a [`RouteProtectionLayer`](crate::RouteProtectionLayer).
#[derive(Clone)]
pub struct RouteProtectionService<S> {
    inner: S,
    // One pointer: a router clones its services for each request.
    place: Arc<Place>,
}

impl<S> RouteProtectionService<S> {
    pub(crate) fn new(inner: S, routes: Arc<Routes>) -> Self {
        Self { inner, place: Arc::new(Place::new(routes)) }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RouteProtectionService<S>
where
    S: Service<Request<ReqBody>, Response = http::Response<ResBody>, Error = Infallible>,
    ResBody: Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.place.admit(&request) {
            Admitted::Unprotected => RouteFuture::unprotected(self.inner.call(request)),
            Admitted::Permitted(mut permitted) => {
                // Inside the watch, so that a panic of the handler's own `call` is a failure.
                let inner = permitted.call.poll_with(|| self.inner.call(request));
                RouteFuture::permitted(inner, permitted)
            }
            Admitted::Answered(response) => RouteFuture::answered(response),
        }
    }
}

impl<S> fmt::Debug for RouteProtectionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteProtectionService").finish_non_exhaustive()
    }
}
