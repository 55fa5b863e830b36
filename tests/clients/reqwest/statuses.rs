//! The classification of statuses, and custom rules.

use halfopen::{Outcome, State};
use halfopen_http::HttpClassify;
use halfopen_reqwest::{CircuitBreakerMiddleware, ReqwestClassify};

use crate::server::Server;
use crate::world::{Guarded, error_for_status, stack};

#[tokio::test]
async fn only_statuses_of_server_faults_are_failures() {
    let server = Server::start().await;
    for (status, outcome) in [
        (200, "success"),
        (204, "success"),
        (304, "success"),
        (400, "success"),
        (401, "success"),
        (404, "success"),
        (408, "failure"),
        (429, "failure"),
        (500, "failure"),
        (501, "success"),
        (502, "failure"),
        (503, "failure"),
        (504, "failure"),
        (505, "success"),
    ] {
        let guarded = Guarded::new();
        let response = guarded.get(&server, &format!("/status/{status}")).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(guarded.ended(), outcome, "{status}");
    }
}

#[tokio::test]
async fn a_sick_server_is_spared_until_a_probe_succeeds() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    for _ in 0..3 {
        assert_eq!(guarded.get(&server, "/status/503").await.unwrap().status(), 503);
    }
    assert_eq!(guarded.breaker.state(), State::Open);
    assert!(guarded.get(&server, "/whole").await.is_err());
    assert_eq!(server.seen(), 3);

    guarded.hands.advance(crate::world::SECOND);
    assert_eq!(guarded.get(&server, "/whole").await.unwrap().text().await.unwrap(), "hello");
    assert_eq!(guarded.breaker.state(), State::Closed);
}

#[tokio::test]
async fn the_rules_for_statuses_can_be_changed() {
    let server = Server::start().await;
    let statuses = HttpClassify::new().rule(429..=429, Outcome::Ignored).unwrap();
    let statuses = statuses.rule(404..=404, Outcome::Failure).unwrap();
    let guarded = Guarded::with(|breaker| breaker.classify(ReqwestClassify::new().statuses(statuses)));

    guarded.get(&server, "/status/429").await.unwrap();
    assert_eq!(guarded.ended(), "ignored");
    guarded.get(&server, "/status/404").await.unwrap();
    assert_eq!(guarded.ended(), "failure ignored");
}

#[tokio::test]
async fn an_error_of_a_status_is_classified_as_the_status() {
    let server = Server::start().await;
    for (status, outcome) in [(404, "success"), (503, "failure"), (501, "success")] {
        let guarded = Guarded::stack(|breaker| {
            stack().with(CircuitBreakerMiddleware::new(breaker)).with(error_for_status)
        });
        let error = guarded.get(&server, &format!("/status/{status}")).await.unwrap_err();
        assert!(error.is_status());
        assert_eq!(guarded.ended(), outcome, "{status}");
    }
}

#[tokio::test]
async fn a_closure_can_judge() {
    let server = Server::start().await;
    let guarded = Guarded::with(|breaker| {
        breaker.classify_fn(|result| match result {
            Ok(response) if response.headers().contains_key("retry-after") => Outcome::Failure,
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Ignored,
        })
    });
    guarded.get(&server, "/busy/1").await.unwrap();
    guarded.get(&server, "/status/500").await.unwrap();
    guarded.get(&server, "/dropped").await.unwrap_err();
    assert_eq!(guarded.ended(), "success failure ignored");
}

#[tokio::test]
async fn rules_that_panic_are_counted_and_lose_no_answer() {
    let server = Server::start().await;
    for whole in [false, true] {
        let guarded = Guarded::with(|breaker| {
            let breaker = breaker.classify_fn(|_| panic!("a mistake in the rules"));
            if whole { breaker.until_body_end() } else { breaker }
        });
        let response = guarded.get(&server, "/whole").await.unwrap();
        assert_eq!(response.text().await.unwrap(), "hello");
        assert_eq!(guarded.ended(), "success");
        assert_eq!(guarded.breaker.snapshot().totals.panics, 1);
    }
}
