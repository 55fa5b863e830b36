//! `halfopen-http` over hyper-util's client and a real hyper server on a loopback port.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod grpc;
mod plain;
mod server;
mod uploads;

use bytes::Bytes;
use halfopen::{CircuitBreaker, CircuitBreakerConfig, HalfOpen, ManualClock, Trip};
use halfopen_http::{ClassifyHead, TypedErrors, WatchedBody, WatchedCall, grpc_timeout};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use server::Server;
use test_support::breaker::{SECOND, about_to_probe, clocked, ended};

type Answer = Result<Response<WatchedBody<Incoming>>, Error>;

/// A client, the breaker in front of it and the breaker's clock.
struct Protected {
    client: Client<HttpConnector, Empty<Bytes>>,
    breaker: CircuitBreaker,
    hands: ManualClock,
}

impl Protected {
    fn http1() -> Protected {
        Protected::new(Client::builder(TokioExecutor::new()).build_http())
    }

    fn http2() -> Protected {
        Protected::new(Client::builder(TokioExecutor::new()).http2_only(true).build_http())
    }

    fn new(client: Client<HttpConnector, Empty<Bytes>>) -> Protected {
        let config = CircuitBreakerConfig::builder()
            .trip(Trip::consecutive_failures(3))
            .open_duration(SECOND)
            .half_open(HalfOpen::new())
            .build()
            .expect("the numbers are in range");
        let (breaker, hands) = clocked("peer", config);
        Protected { client, breaker, hands }
    }

    /// Makes a call as an adapter does: a permit, the watched call, and its deadline if there is one.
    async fn send<C: ClassifyHead + Copy>(
        &self,
        rules: TypedErrors<C>,
        request: Request<Empty<Bytes>>,
    ) -> Answer
    where
        TypedErrors<C>: halfopen::Classify<Response<Incoming>, Error>,
    {
        let permit = self.breaker.try_acquire_owned().expect("the test asks only when calls pass");
        let call = WatchedCall::new(permit);
        let call = match grpc_timeout(request.headers()) {
            Some(timeout) => call.timeout(timeout),
            None => call,
        };
        call.watch(&rules, self.client.request(request)).await
    }

    /// Leaves the breaker one step before its first probe.
    fn about_to_probe(&self) {
        about_to_probe(&self.breaker, &self.hands);
    }

    fn ended(&self) -> String {
        ended(&self.breaker)
    }
}

fn get(server: &Server, path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("http://{}{path}", server.address());
    Request::get(uri).body(Empty::new()).expect("the paths of the tests are valid")
}

/// Reads the body to its end; returns true if it is complete.
async fn read_all(mut body: WatchedBody<Incoming>) -> bool {
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return false;
        }
    }
    true
}

/// Reads the data of a body, lets the server abort it, and reads on; returns true if it is complete.
async fn read_into_the_fault(server: &Server, mut body: WatchedBody<Incoming>) -> bool {
    let first = body.frame().await.expect("the data comes before the fault");
    assert!(first.expect("the data comes before the fault").is_data());
    server.break_off();
    read_all(body).await
}
