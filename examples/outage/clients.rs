use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fusebox::CircuitBreaker;
use fusebox_tower::CircuitBreakerLayer;
use http::Response;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder};

use crate::answer::Answers;
use crate::ledger::Ledger;
use crate::pace::Pace;
use crate::request::HttpRequest;
use crate::retry::TryAgain;
use crate::sent::Sent;

pub(crate) type Client = BoxCloneSyncService<HttpRequest, Response<Incoming>, BoxError>;

/// What both clients are made with.
#[derive(Clone, Copy)]
pub(crate) struct Making {
    pub(crate) pace: Pace,
    pub(crate) seed: u64,
    /// How long a caller waits for one attempt, in script time.
    pub(crate) timeout: Duration,
}

impl Making {
    /// Retry, timeout, network.
    pub(crate) fn bare(self, ledger: Arc<Ledger>) -> Client {
        let service = ServiceBuilder::new()
            .layer(RetryLayer::new(self.try_again()))
            .timeout(self.pace.real(self.timeout))
            .service(Sent::new(network(), ledger, self.pace));
        BoxCloneSyncService::new(service)
    }

    /// The same with one layer more: retry, timeout, breaker, network.
    ///
    /// The timeout is outside, so a hang reaches the breaker as a call that its caller gave up;
    /// `Abandoned::FailureAfter` in its configuration makes that evidence.
    pub(crate) fn protected(self, ledger: Arc<Ledger>, breaker: CircuitBreaker) -> Client {
        let service = ServiceBuilder::new()
            .layer(RetryLayer::new(self.try_again()))
            .timeout(self.pace.real(self.timeout))
            .layer(CircuitBreakerLayer::new(breaker).classify(Answers::new(self.pace)))
            .service(Sent::new(network(), ledger, self.pace));
        BoxCloneSyncService::new(service)
    }

    fn try_again(self) -> TryAgain {
        TryAgain { answers: Answers::new(self.pace), pace: self.pace, seed: self.seed, attempt: 1 }
    }
}

/// Each client has its own connections, as two processes would.
pub(crate) fn network() -> HyperClient<HttpConnector, Empty<Bytes>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(64)
        .build(connector)
}
