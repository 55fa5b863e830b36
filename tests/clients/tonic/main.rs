//! `fusebox-tonic` over tonic's channel, a real tonic server and a real hyper server on loopback ports.

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
mod peer;
mod probe;
mod rejected;
#[path = "../../support/inner.rs"]
#[expect(dead_code, reason = "the layer for any service asks for more of it")]
mod scripted;
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

use std::time::Duration;

use fusebox::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerConfigBuilder, Clock, ManualClock, Trip,
};
use fusebox_tonic::{GrpcCircuitBreakerLayer, GrpcCircuitBreakerService};
use http::Uri;
use proto::inventory_client::InventoryClient;
use proto::{Article, Stock};
use tonic::transport::Channel;
use tower::Layer;

const SECOND: Duration = Duration::from_secs(1);

type Protected = GrpcCircuitBreakerService<Channel>;

/// A breaker, its clock, and clients behind it.
struct Scene {
    breaker: CircuitBreaker,
    hands: ManualClock,
}

impl Scene {
    /// Opens for a second after three failures in a row.
    fn new() -> Scene {
        Scene::with(|config| config.trip(Trip::consecutive_failures(3)))
    }

    fn with(configure: impl FnOnce(CircuitBreakerConfigBuilder) -> CircuitBreakerConfigBuilder) -> Scene {
        let (clock, hands) = Clock::manual();
        let config =
            configure(CircuitBreakerConfig::builder().open_duration(SECOND).backoff(Backoff::none()));
        let config = config.build().expect("the numbers are in range");
        let breaker = CircuitBreaker::builder("inventory").config(config).clock(clock).build();
        Scene { breaker, hands }
    }

    fn layer(&self) -> GrpcCircuitBreakerLayer {
        GrpcCircuitBreakerLayer::new(self.breaker.clone())
    }

    fn client(&self, channel: Channel) -> InventoryClient<Protected> {
        InventoryClient::new(self.layer().layer(channel))
    }

    /// A client whose requests have this path before the method's, by which a [`peer::Peer`] takes its cue.
    fn cued(&self, peer: &peer::Peer, cue: &str) -> InventoryClient<Protected> {
        InventoryClient::with_origin(self.layer().layer(peer.channel()), peer.origin(cue))
    }

    /// Leaves the breaker one step before its first probe.
    fn about_to_probe(&self) {
        self.breaker.open_for(SECOND);
        self.hands.advance(SECOND);
    }

    fn ended(&self) -> String {
        ended(&self.breaker)
    }
}

/// The outcomes so far, in words.
fn ended(breaker: &CircuitBreaker) -> String {
    let totals = breaker.snapshot().totals;
    let words = [
        ("success", totals.successes),
        ("failure", totals.failures),
        ("ignored", totals.ignored),
        ("abandoned", totals.abandoned),
        ("late", totals.late),
    ];
    let words = words.into_iter().flat_map(|(word, times)| (0..times).map(move |_| word));
    words.collect::<Vec<_>>().join(" ")
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
