use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tower::Service;

use crate::ledger::Ledger;
use crate::pace::Pace;

/// Counts each request that is sent to the network: it wraps the HTTP client directly, inside every layer that
/// could hold a request back.
#[derive(Clone)]
pub(crate) struct Sent<S> {
    network: S,
    ledger: Arc<Ledger>,
    pace: Pace,
}

/// When the answered attempt was sent (script time); an extension of the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentAt(pub(crate) Duration);

impl<S> Sent<S> {
    pub(crate) fn new(network: S, ledger: Arc<Ledger>, pace: Pace) -> Self {
        Self { network, ledger, pace }
    }
}

impl<S, B, R> Service<Request<B>> for Sent<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.network.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let now = self.pace.now();
        self.ledger.sent(now);
        let answer = self.network.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            response.extensions_mut().insert(SentAt(now));
            Ok(response)
        })
    }
}
