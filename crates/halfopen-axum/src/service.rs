use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use axum::response::Response;
use bytes::Bytes;
use halfopen::BoxError;
use halfopen_http::{ClassifyHead, WatchedCall};
use halfopen_limit::BulkheadPermit;
use http::Request;
use http_body::Body;
use tower_service::Service;

use crate::RouteFuture;
use crate::protection::Routes;
use crate::rules::RouteRules;

/// A service of an axum router, protected by a [`RouteProtectionLayer`](crate::RouteProtectionLayer).
#[derive(Clone)]
pub struct RouteProtectionService<S> {
    inner: S,
    routes: Arc<Routes>,
}

impl<S> RouteProtectionService<S> {
    pub(crate) fn new(inner: S, routes: Arc<Routes>) -> Self {
        Self { inner, routes }
    }
}

/// What the limits and the breaker have decided.
enum Admitted {
    Unprotected,
    Permitted(WatchedCall, Option<BulkheadPermit>, RouteRules),
    Answered(Response),
}

impl Routes {
    fn admit<B>(&self, request: &Request<B>) -> Admitted {
        let template = request.extensions().get::<MatchedPath>();
        // By the template and not the path: names that come from outside would fill the registry.
        let Some(route) = template.and_then(|template| self.get(template.as_str())) else {
            return Admitted::Unprotected;
        };
        // The breaker last: a permit for a call that a limit then rejects would end as abandoned, and take a
        // probe's slot.
        let admitted = route.enter().and_then(|slot| Ok((self.acquire(&route)?, slot)));
        match admitted {
            Ok((permit, slot)) => {
                let rules = route.rules();
                Admitted::Permitted(rules.watch(permit, request.headers()), slot, rules)
            }
            Err(rejected) => Admitted::Answered(route.reject_slow(rejected)),
        }
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

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.routes.admit(&request) {
            Admitted::Unprotected => RouteFuture::unprotected(self.inner.call(request)),
            Admitted::Permitted(mut call, slot, rules) => {
                // Inside the watch, so that a panic of the handler's own `call` is a failure.
                let inner = call.poll_with(|| self.inner.call(request));
                RouteFuture::permitted(inner, call, slot, rules)
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
