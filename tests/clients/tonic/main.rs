//! `halfopen-tonic` over tonic's channel, a real tonic server and a real hyper server on loopback ports.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod allocations;
mod answers;
mod balance;
mod client;
mod connect;
mod contract;
mod deadline;
mod errors;
mod inner;
mod interceptor;
mod own_doing;
mod peer;
mod probe;
mod rejected;
mod serve;
mod shop;
mod streams;

#[allow(
    unreachable_pub,
    missing_docs,
    clippy::all,
    clippy::uninlined_format_args,
    clippy::semicolon_if_nothing_returned,
    reason = "generated"
)]
mod proto {
    include!("proto/inventory.rs");
}

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, ManualClock, Trip,
};
use halfopen_tonic::{GrpcCircuitBreakerLayer, GrpcCircuitBreakerService};
use http::Uri;
use proto::inventory_client::InventoryClient;
use proto::{Article, Stock};
use test_support::breaker::{SECOND, about_to_probe, clocked, ended};
use tonic::transport::Channel;
use tower::Layer;

type Protected = GrpcCircuitBreakerService<Channel>;

/// A breaker, its clock, and clients behind it.
struct Scene {
    breaker: CircuitBreaker,
    hands: ManualClock,
}

impl Scene {
    /// Opens for a second after three consecutive failures.
    fn new() -> Scene {
        Scene::with(|config| config.trip(Trip::consecutive_failures(3)))
    }

    fn with(configure: impl FnOnce(CircuitBreakerConfigBuilder) -> CircuitBreakerConfigBuilder) -> Scene {
        let config =
            configure(CircuitBreakerConfig::builder().open_duration(SECOND).backoff(Backoff::none()));
        let config = config.build().expect("the numbers are in range");
        let (breaker, hands) = clocked("inventory", config);
        Scene { breaker, hands }
    }

    fn layer(&self) -> GrpcCircuitBreakerLayer {
        GrpcCircuitBreakerLayer::new(self.breaker.clone())
    }

    fn client(&self, channel: Channel) -> InventoryClient<Protected> {
        InventoryClient::new(self.layer().layer(channel))
    }

    /// A client that puts this path before the method's, which selects the fault of a [`peer::Peer`].
    fn cued(&self, peer: &peer::Peer, cue: &str) -> InventoryClient<Protected> {
        InventoryClient::with_origin(self.layer().layer(peer.channel()), peer.origin(cue))
    }

    /// Leaves the breaker one step before its first probe.
    fn about_to_probe(&self) {
        about_to_probe(&self.breaker, &self.hands);
    }

    fn ended(&self) -> String {
        ended(&self.breaker)
    }
}

fn article(name: &str) -> Article {
    Article { name: name.to_owned() }
}

fn stock(pieces: u32) -> Stock {
    Stock { pieces }
}

fn uri(text: &str) -> Uri {
    text.parse().expect("the addresses of the tests are valid")
}
