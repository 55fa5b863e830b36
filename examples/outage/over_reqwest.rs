use std::sync::Arc;

use async_trait::async_trait;
use halfopen::CircuitBreaker;
use halfopen_reqwest::CircuitBreakerMiddleware;
use http::{Extensions, Response};
use http_body_util::BodyExt;
use reqwest::Request;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, service_fn};

use crate::answer::Answers;
use crate::clients::{Body, Client, Making};
use crate::ledger::Ledger;
use crate::over_hyper::{IDLE, MOST_IDLE};
use crate::pace::Pace;
use crate::request::HttpRequest;
use crate::sent::SentAt;

/// Retry, the breaker if there is one, and reqwest with a timeout of its own.
///
/// The timeout is inside the breaker, so a hang reaches it as an error.
pub(crate) fn client(making: Making, ledger: Arc<Ledger>, breaker: Option<CircuitBreaker>) -> Client {
    let mut stack = ClientBuilder::new(network(making));
    if let Some(breaker) = breaker {
        stack = stack.with(CircuitBreakerMiddleware::new(breaker).classify(Answers::new(making.pace)));
    }
    let client = stack.with(Note { ledger, pace: making.pace }).build();
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(making.try_again()))
        .service(service_fn(move |request| send(client.clone(), request)));
    BoxCloneSyncService::new(service)
}

fn network(making: Making) -> reqwest::Client {
    let network = reqwest::Client::builder()
        .no_proxy()
        .timeout(making.patience())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE);
    network.build().expect("without TLS there is nothing that could not be set up")
}

async fn send(client: ClientWithMiddleware, request: HttpRequest) -> Result<Response<Body>, BoxError> {
    let request = Request::try_from(request.map(|_| reqwest::Body::default()))?;
    let response = Response::<reqwest::Body>::from(client.execute(request).await?);
    Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
}

/// Counts each request that is sent to the network: the innermost middleware.
struct Note {
    ledger: Arc<Ledger>,
    pace: Pace,
}

#[async_trait]
impl Middleware for Note {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let now = self.pace.now();
        self.ledger.sent(now);
        let mut response = next.run(request, extensions).await?;
        response.extensions_mut().insert(SentAt(now));
        Ok(response)
    }
}
