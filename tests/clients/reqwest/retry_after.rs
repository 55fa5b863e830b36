//! A server that sends `Retry-After`.

use std::time::Duration;

use halfopen::{Backoff, State, Trip};
use halfopen_reqwest::CircuitBreakerMiddleware;

use crate::server::Server;
use crate::world::{Guarded, SECOND, stack, url};

#[tokio::test]
async fn a_breaker_stays_open_as_long_as_the_server_asks() {
    let server = Server::start().await;
    for whole in [false, true] {
        let guarded = Guarded::with(|breaker| if whole { breaker.until_body_end() } else { breaker });
        for _ in 0..3 {
            guarded.get(&server, "/busy/20").await.unwrap();
        }
        assert_eq!(guarded.breaker.snapshot().retry_after, Some(20 * SECOND));

        let error = guarded.get(&server, "/whole").await.unwrap_err();
        assert_eq!(halfopen::rejection(&error).unwrap().retry_after(), Some(20 * SECOND));
    }
}

#[tokio::test]
async fn a_hint_never_shortens_the_wait_and_is_capped() {
    let server = Server::start().await;
    for (asked, waits) in
        [("0", SECOND), ("3600", 30 * SECOND), ("Fri, 31 Dec 9999 23:59:59 GMT", 30 * SECOND)]
    {
        let asked = asked.replace(' ', "%20");
        let config = halfopen::CircuitBreakerConfig::builder()
            .trip(Trip::consecutive_failures(1))
            .open_duration(SECOND)
            .backoff(Backoff::none())
            .hint_max(Duration::from_secs(30))
            .build()
            .unwrap();
        let (breaker, _hands) = test_support::breaker::clocked("peer", config);
        let client = stack().with(CircuitBreakerMiddleware::new(breaker.clone())).build();

        client.get(url(&server, &format!("/busy/{asked}"))).send().await.unwrap();
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.snapshot().retry_after, Some(waits), "{asked}");
    }
}

#[tokio::test]
async fn a_hint_beside_a_success_changes_nothing() {
    let server = Server::start().await;
    let statuses = halfopen_http::HttpClassify::all_succeed();
    let guarded = Guarded::with(|breaker| {
        breaker.classify(halfopen_reqwest::ReqwestClassify::new().statuses(statuses))
    });
    for _ in 0..9 {
        guarded.get(&server, "/busy/20").await.unwrap();
    }
    assert_eq!(guarded.breaker.state(), State::Closed);
}
