//! Bulkheads and rate limiters, their layers, and the protection of a document.

use std::time::Duration;

use halfopen::{BoxError, CircuitBreaker, CircuitBreakerConfig, ConfigError, RejectReason, Rejected};
use halfopen_config::{Format, LiveRegistry, Loader};
use halfopen_limit::{
    Bulkhead, BulkheadConfig, BulkheadPermit, BulkheadSnapshot, Group, GroupSnapshot, KeyedRateLimiter,
    Protection, Quota, RateLimiter,
};
use halfopen_tower::{BulkheadLayer, CircuitBreakerLayer, FallbackLayer, ProtectionLayer, RateLimitLayer};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

fn pool(name: &str) -> Result<Bulkhead, ConfigError> {
    let config = BulkheadConfig::builder()
        .max_concurrent_calls(1)
        .max_waiting_calls(1)
        .max_wait(Duration::from_secs(10))
        .build()?;
    Ok(Bulkhead::new(name, config))
}

#[tokio::test]
async fn a_bulkhead() -> Result<(), Box<dyn std::error::Error>> {
    let pool = pool("ai")?;
    let permit: Result<BulkheadPermit, Rejected> = pool.try_acquire();
    let full: Rejected = pool.try_acquire().unwrap_err();
    assert_eq!(full.reason(), RejectReason::BulkheadFull);
    assert_eq!(full.to_string(), "bulkhead `ai` is full (1 call in flight, 0 waiting)");
    drop(permit);
    let permit: Result<BulkheadPermit, Rejected> = pool.acquire().await;
    drop(permit);
    pool.set_config(BulkheadConfig::builder().max_concurrent_calls(20).build()?);
    let _: BulkheadSnapshot = pool.snapshot();
    Ok(())
}

#[tokio::test]
async fn a_rate_limiter() -> Result<(), Box<dyn std::error::Error>> {
    let limiter = RateLimiter::new("tasks", Quota::calls(60).per(Duration::from_secs(60)).burst(2)?);
    let permitted: Result<(), Rejected> = limiter.try_acquire_many(1);
    permitted?;
    limiter.acquire().await?;
    let rejected: Rejected = limiter.try_acquire().unwrap_err();
    let _: Option<Duration> = rejected.retry_after();
    assert_eq!(rejected.reason(), RejectReason::RateLimited);
    let small = Quota::calls(1).per(Duration::from_secs(60)).build()?;
    let keyed = KeyedRateLimiter::new("tools", Quota::calls(100).per(Duration::from_secs(60)).build()?)
        .quota_for("asyncgate.create_task", small);
    keyed.try_acquire("asyncgate.create_task")?;
    assert!(keyed.try_acquire("asyncgate.create_task").is_err());
    keyed.try_acquire("asyncgate.list_tasks")?;
    Ok(())
}

#[test]
fn a_group() -> Result<(), ConfigError> {
    let member = |name: &str| CircuitBreaker::builder(name).build();
    let group: Group = Group::new([member("a"), member("b")]).max_open_share(0.5)?;
    let _: GroupSnapshot = group.snapshot();
    Ok(())
}

#[tokio::test]
async fn layers() -> Result<(), Box<dyn std::error::Error>> {
    let service = || service_fn(|request: u32| async move { Ok::<_, BoxError>(request) });
    let quota = Quota::calls(100).per(Duration::from_secs(60)).build()?;
    let limited = ServiceBuilder::new()
        .layer(BulkheadLayer::new(pool("ai")?))
        .layer(RateLimitLayer::new(RateLimiter::new("tasks", quota)))
        .layer(RateLimitLayer::keyed(KeyedRateLimiter::new("tools", quota), |request: &u32| {
            std::borrow::Cow::Owned(request.to_string())
        }))
        .service(service());
    assert_eq!(limited.oneshot(1).await.unwrap(), 1);

    let breaker = CircuitBreaker::new("orders", CircuitBreakerConfig::default());
    breaker.force_open();
    let answered = ServiceBuilder::new()
        .layer(
            FallbackLayer::new(|error: BoxError, remembered: u32| async move {
                assert!(halfopen::rejection(&*error).is_some());
                Ok::<_, BoxError>(remembered + 1)
            })
            .remember(|request: &u32| *request),
        )
        .layer(CircuitBreakerLayer::new(breaker))
        .service(service());
    assert_eq!(answered.oneshot(1).await.unwrap(), 2);
    Ok(())
}

#[tokio::test]
async fn a_protection_from_a_document() -> Result<(), Box<dyn std::error::Error>> {
    let document = "breakers: { claude_production: { bulkhead_config: { max_concurrent_calls: 4 } } }";
    let live = LiveRegistry::new(Loader::new().text("a.yaml", Format::Yaml, document))?;
    let protection: Protection = live.protection("claude_production")?;
    let service = service_fn(|request: u32| async move { Ok::<_, BoxError>(request) });
    let protected = ProtectionLayer::new(protection).layer(service);
    assert_eq!(protected.oneshot(1).await.unwrap(), 1);
    Ok(())
}
