//! The error of a request that was not sent.

use halfopen::{BoxError, RejectReason};
use halfopen_reqwest::CircuitBreakerMiddleware;

use crate::server::Server;
use crate::world::{Guarded, SECOND, retry, stack};

/// Retry inside or outside a breaker; both are forced open.
fn stacks_with_retry() -> [Guarded; 2] {
    let inside =
        Guarded::stack(|breaker| stack().with(CircuitBreakerMiddleware::new(breaker)).with(retry(3)));
    let outside =
        Guarded::stack(|breaker| stack().with(retry(3)).with(CircuitBreakerMiddleware::new(breaker)));
    inside.breaker.open_for(SECOND);
    outside.breaker.open_for(SECOND);
    [inside, outside]
}

#[tokio::test]
async fn a_rejected_request_is_not_sent_as_its_error_says() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    guarded.breaker.open_for(SECOND);

    let error = guarded.get(&server, "/whole").await.unwrap_err();
    let rejected = halfopen::rejection(&error).unwrap();
    assert_eq!(rejected.reason(), RejectReason::Open);
    assert_eq!(rejected.retry_after(), Some(SECOND));
    assert_eq!(error.to_string(), "request not sent: circuit breaker `peer` rejected it");
    assert_eq!(guarded.breaker.snapshot().rejected, 1);
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn a_rejection_is_none_of_the_clients_own_kinds() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    guarded.breaker.force_open();

    let error = guarded.get(&server, "/whole").await.unwrap_err();
    assert!(error.is_middleware());
    assert!(!error.is_timeout() && !error.is_connect() && !error.is_request() && !error.is_status());
}

#[tokio::test]
async fn a_rejection_is_found_through_retry() {
    let server = Server::start().await;
    for guarded in stacks_with_retry() {
        let error = guarded.get(&server, "/whole").await.unwrap_err();
        assert_eq!(halfopen::rejection(&error).unwrap().name(), "peer");
        assert_eq!(guarded.breaker.snapshot().rejected, 1);
    }
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn a_retry_ends_with_a_rejection_it_has_caused() {
    let server = Server::start().await;
    let guarded =
        Guarded::stack(|breaker| stack().with(retry(9)).with(CircuitBreakerMiddleware::new(breaker)));

    let error = guarded.get(&server, "/status/503").await.unwrap_err();
    assert!(error.to_string().contains("after 3 retries"), "{error}");
    assert_eq!(halfopen::rejection(&error).unwrap().name(), "peer");
    assert_eq!(guarded.ended(), "failure failure failure");
    assert_eq!(guarded.breaker.snapshot().rejected, 1);
    assert_eq!(server.seen(), 3);
}

#[tokio::test]
async fn a_rejection_is_found_through_anyhow_and_in_a_box() {
    let server = Server::start().await;
    for guarded in stacks_with_retry() {
        let error = || async { guarded.get(&server, "/whole").await.unwrap_err() };

        let plain = anyhow::Error::from(error().await);
        assert!(halfopen::rejection(plain.as_ref()).is_some());

        let with_context = anyhow::Error::from(error().await).context("stock of article 7");
        assert!(halfopen::rejection(with_context.as_ref()).is_some());

        let boxed: BoxError = error().await.into();
        assert!(halfopen::rejection(&*boxed).is_some());

        let boxed_anyhow: BoxError = anyhow::Error::from(error().await).context("stock").into();
        assert!(halfopen::rejection(&*boxed_anyhow).is_some());
    }
}

#[tokio::test]
async fn no_sentence_of_the_chain_is_said_twice() {
    let server = Server::start().await;
    let guarded = Guarded::new();
    guarded.breaker.open_for(SECOND);

    let error = anyhow::Error::from(guarded.get(&server, "/whole").await.unwrap_err());
    let sentences: Vec<_> = error.chain().map(ToString::to_string).collect();
    assert_eq!(
        sentences,
        [
            "request not sent: circuit breaker `peer` rejected it",
            "circuit breaker `peer` is open (opened by hand); retry in 1s",
            "the call was not made",
        ]
    );
}
