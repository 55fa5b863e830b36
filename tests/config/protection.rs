//! Limits, timeouts and pools of a document, in the service that they protect.

use std::future::pending;
use std::time::Duration;

use futures_util::FutureExt;
use halfopen::{BoxError, RejectReason};
use halfopen_config::{Format, LiveRegistry, Loader, lint};
use halfopen_tower::ProtectionLayer;
use tower::{Layer, ServiceExt, service_fn};

fn live(text: &str) -> LiveRegistry {
    let loader = Loader::new().text("t.yaml", Format::Yaml, text);
    LiveRegistry::new(loader).unwrap_or_else(|error| panic!("{error}"))
}

/// The messages of a document without other problems.
fn messages(keys: &str) -> Vec<String> {
    let text = format!("breakers: {{ x: {{ {keys} }} }}");
    lint("t.yaml", Format::Yaml, &text).iter().map(|problem| problem.message().to_owned()).collect()
}

fn reason(error: &BoxError) -> Option<RejectReason> {
    halfopen::rejection(&**error).map(|rejected| rejected.reason())
}

#[tokio::test(start_paused = true)]
async fn a_document_of_one_breaker_protects_a_service() {
    let live = live(include_str!("claude_production.yaml"));
    let protection = live.protection("claude_production").unwrap();
    let service =
        ProtectionLayer::new(protection.clone()).layer(service_fn(|()| pending::<Result<(), BoxError>>()));
    let pool = live.limits().bulkhead("ai_claude_prod").expect("the pool of the document");

    let mut calls: Vec<_> = (0..21).map(|_| Box::pin(service.clone().oneshot(()))).collect();
    for call in &mut calls {
        assert!(call.as_mut().now_or_never().is_none());
    }
    assert_eq!((pool.snapshot().in_flight, pool.snapshot().waiting), (20, 1));
    let waited = tokio::time::timeout(Duration::from_secs(11), calls.pop().unwrap()).await;
    let error = waited.expect("the wait is over after ten seconds").unwrap_err();
    assert_eq!(reason(&error), Some(RejectReason::BulkheadFull));
    drop(calls);

    let failing = ProtectionLayer::new(protection.clone())
        .layer(service_fn(|()| async { Err::<(), BoxError>("overloaded".into()) }));
    let mut reasons = Vec::new();
    for _ in 0..20 {
        reasons.push(reason(&failing.clone().oneshot(()).await.unwrap_err()));
    }
    assert_eq!(reasons[0], None, "the first failure is no evidence of an outage");
    assert_eq!(reasons.last(), Some(&Some(RejectReason::Open)), "circuit_type: adaptive");
}

#[tokio::test]
async fn limits_follow_the_document() {
    let slots = |calls: &str| format!("breakers: {{ x: {{ bulkhead_config: {{ {calls} }} }} }}");
    let live = live(&slots("max_concurrent_calls: 1"));
    let protection = live.protection("x").unwrap();
    let held = protection.acquire().await.unwrap();
    assert!(protection.acquire_if_permitted().is_none());
    live.apply(Format::Yaml, &slots("max_concurrent_calls: 2")).unwrap();
    let second = protection.acquire_if_permitted();
    assert!(second.is_some() && protection.acquire_if_permitted().is_none(), "the first is still counted");

    live.apply(Format::Yaml, "breakers: { x: { call_timeout: 2s } }").unwrap();
    assert!(protection.acquire_if_permitted().is_some(), "no bulkhead is left");
    assert_eq!(protection.call_timeout(), Some(Duration::from_secs(2)));
    assert!(live.apply(Format::Yaml, &slots("max_concurrent_calls: 0")).is_err());
    assert_eq!(protection.call_timeout(), Some(Duration::from_secs(2)), "a wrong document changes nothing");
    drop((held, second));
}

#[tokio::test]
async fn breakers_of_one_pool_share_its_slots() {
    let pool = "bulkhead_config: { isolation_pool_name: ai";
    let live =
        live(&format!("breakers: {{ a: {{ {pool}, max_concurrent_calls: 1 }} }}, b: {{ {pool} }} }} }}"));
    let (a, b) = (live.protection("a").unwrap(), live.protection("b").unwrap());
    let _held = a.acquire().await.unwrap();
    assert!(b.acquire_if_permitted().is_none());
    assert_eq!(live.configuration().warnings(), []);
}

#[tokio::test]
async fn a_rate_limit_is_of_its_breaker() {
    let live = live("breakers: { 'db-*': { rate_limit: { calls: 2, per: 60, burst: 1 } } }");
    let (a, b) = (live.protection("db-a").unwrap(), live.protection("db-b").unwrap());
    assert!(a.acquire().await.is_ok() && b.acquire().await.is_ok());
    let rejected = a.acquire().await.unwrap_err();
    assert_eq!((rejected.name(), rejected.reason()), ("db-a", RejectReason::RateLimited));
    assert!(live.protection("cache").is_err(), "no pattern matches it");
}

#[test]
fn contradictions_of_limits_are_warned_of() {
    for (keys, expected) in [
        (
            "call_timeout: 5s, bulkhead_config: { max_concurrent_calls: 20, queue_timeout: 10.0 }",
            "`breakers.x.bulkhead_config.queue_timeout` is 10s, above the `call_timeout` of 5s: a caller that waits no longer than a call takes is gone before its slot comes",
        ),
        (
            "call_timeout: 5s, rate_limit: { calls: 1, per: 1, max_wait: 6 }",
            "`breakers.x.rate_limit.max_wait` is 6s, above the `call_timeout` of 5s: a caller that waits no longer than a call takes is gone before its turn comes",
        ),
        (
            "half_open: { max_calls: 5 }, bulkhead_config: { max_concurrent_calls: 3 }",
            "`breakers.x.bulkhead_config.max_concurrent_calls` is 3, below the 5 probes of `half_open.max_calls`: not all of them can be in flight",
        ),
        (
            "bulkhead_config: { max_concurrent_calls: 3, max_waiting_calls: 0, queue_timeout: 1 }",
            "`breakers.x.bulkhead_config.queue_timeout` has no effect: `max_waiting_calls` is 0, so no call waits",
        ),
        (
            "bulkhead_config: { max_concurrent_calls: 3, max_waiting_calls: 5, queue_timeout: 0 }",
            "`breakers.x.bulkhead_config.max_waiting_calls` has no effect: the `queue_timeout` is 0s, so no call waits",
        ),
        (
            "bulkhead_config: { queue_timeout: 1 }",
            "`breakers.x.bulkhead_config.queue_timeout` has no effect: no `max_concurrent_calls` is set",
        ),
        ("call_timeout: 0s", "`breakers.x.call_timeout` is \"0s\", but must be longer than 0s"),
        (
            "rate_limit: { calls: 5 }",
            "`breakers.x.rate_limit` has no `per`, must have both `calls` and `per`",
        ),
        (
            "rate_limit: { calls: 50000000, per: 1 }",
            "`breakers.x.rate_limit.calls` is 50000000 per 1s, but must be at most one call in 100ns",
        ),
    ] {
        assert_eq!(messages(keys), [expected], "{keys}");
    }
}

#[test]
fn a_pool_with_two_sizes_is_warned_of() {
    let text = "breakers:
  a: { bulkhead_config: { isolation_pool_name: ai, max_concurrent_calls: 5 } }
  b: { bulkhead_config: { isolation_pool_name: ai, max_concurrent_calls: 6 } }
";
    let problems = lint("t.yaml", Format::Yaml, text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        problems[0].message(),
        "`breakers.b.bulkhead_config.max_concurrent_calls` is in the pool `ai`, to which `a` gives other numbers: the pool has those of `a`"
    );
    let live = live(text);
    let slots = live.protection("b").unwrap().limits().get_bulkhead().unwrap().config();
    assert_eq!(slots.max_concurrent_calls(), 5);
}

#[test]
fn routes_are_checked_with_the_document() {
    for (routes, expected) in [
        (
            "{ api: { breaker: x } }",
            "`routes.api` is \"api\", but must be a path such as \"/api/{id}\", which starts with `/`",
        ),
        (
            "{ /a: { max_concurrent_calls: 5 } }",
            "`routes./a` has no `breaker`, must name the breaker of its requests",
        ),
        ("{ '/a/{id': { breaker: x } }", "`routes./a/{id` is not a path of a router: "),
        (
            "{ /a: { breaker: x, rate_limit: { per: 1 } } }",
            "`routes./a.rate_limit` has no `calls`, must have both `calls` and `per`",
        ),
    ] {
        let problems = lint("t.yaml", Format::Yaml, &format!("routes: {routes}"));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].message().starts_with(expected), "{}", problems[0].message());
    }
}
