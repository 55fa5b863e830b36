//! The breaker among other middleware: tracing, then retry, then the breaker.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use halfopen_reqwest::CircuitBreakerMiddleware;
use reqwest_tracing::TracingMiddleware;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::server::Server;
use crate::world::{Guarded, retry, stack, url};

#[tokio::test]
async fn inside_retry_the_breaker_sees_every_attempt() {
    let server = Server::start().await;
    let guarded =
        Guarded::stack(|breaker| stack().with(retry(1)).with(CircuitBreakerMiddleware::new(breaker)));
    guarded.get(&server, "/status/503").await.unwrap();
    assert_eq!(guarded.ended(), "failure failure");
    assert_eq!(server.seen(), 2);
}

#[tokio::test]
async fn outside_retry_all_attempts_are_one_call() {
    let server = Server::start().await;
    let guarded =
        Guarded::stack(|breaker| stack().with(CircuitBreakerMiddleware::new(breaker)).with(retry(4)));
    guarded.get(&server, "/status/503").await.unwrap();
    assert_eq!(guarded.ended(), "failure");
    assert_eq!(server.seen(), 5);
}

#[tokio::test]
async fn the_span_of_a_request_records_the_rejection() {
    let server = Server::start().await;
    let guarded = Guarded::stack(|breaker| {
        let stack = stack().with(TracingMiddleware::default()).with(retry(9));
        stack.with(CircuitBreakerMiddleware::new(breaker))
    });
    let spans = Spans::default();
    let told = tracing::subscriber::set_default(spans.clone());
    guarded.client.get(url(&server, "/status/503")).send().await.unwrap_err();
    drop(told);

    assert_eq!(server.seen(), 3);
    let spans = spans.0.lock().unwrap();
    let [span] = &spans[..] else { panic!("{} spans", spans.len()) };
    assert_eq!(span["otel.status_code"], "ERROR");
    assert!(span["error.cause_chain"].contains("circuit breaker `peer` is open"), "{span:#?}");
}

#[tokio::test]
async fn tracing_inside_the_breaker_spans_no_rejection() {
    let server = Server::start().await;
    let guarded = Guarded::stack(|breaker| {
        stack().with(CircuitBreakerMiddleware::new(breaker)).with(TracingMiddleware::default())
    });
    guarded.breaker.force_open();
    let spans = Spans::default();
    let told = tracing::subscriber::set_default(spans.clone());
    guarded.get(&server, "/whole").await.unwrap_err();
    drop(told);
    assert!(spans.0.lock().unwrap().is_empty());
}

/// A subscriber that keeps the fields of reqwest's spans.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Fields>>>);

type Fields = BTreeMap<&'static str, String>;

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.fields().field("otel.kind").is_some()
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().expect("no test panics while it holds the lock");
        let mut fields = Fields::new();
        attributes.record(&mut Keep(&mut fields));
        spans.push(fields);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.0.lock().expect("no test panics while it holds the lock");
        values.record(&mut Keep(&mut spans[span.into_u64() as usize - 1]));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Keep<'a>(&'a mut Fields);

impl Visit for Keep<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}
