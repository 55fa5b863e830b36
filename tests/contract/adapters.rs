//! The adapters of frameworks and servers.

use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use halfopen::{CircuitBreaker, CircuitBreakerConfig, Outcome, Registry, Rejected};
use halfopen_axum::{Rejection, Route, RouteProtection, RouteProtectionLayer, StatusRoutes, status_routes};
use halfopen_limit::Quota;
use halfopen_redis::{Fleet, FleetConfig, FleetStatus, ProtectedConnection, SharedRateLimiter};
use halfopen_sqlx::{ProtectedPool, ProtectedTransaction};
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use serde_json::json;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Acquire, Executor, Sqlite};

#[test]
fn routes() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let protection: RouteProtectionLayer = RouteProtection::new(registry.clone())
        .route(
            "/api/v1/query/{*rest}",
            Route::breaker("query_handler")
                .max_concurrent_calls(50)
                .fallback(json!({"error": "Service temporarily unavailable"})),
        )
        .route(
            "/api/v1/experts/{*rest}",
            Route::breaker("experts")
                .max_concurrent_calls(30)
                .rate_limit(Quota::calls(100).per(Duration::from_secs(60))),
        )
        .build()?;
    let status: StatusRoutes = status_routes(registry);
    let _: Router = Router::new()
        .route("/api/v1/query/{*rest}", get(|| async { "answer" }))
        .layer(protection)
        .merge(status.ready_unless_open(["query_handler"]).into_router());
    let breaker = CircuitBreaker::new("experts", CircuitBreakerConfig::default());
    breaker.force_open();
    let rejected: Rejected = breaker.check().unwrap_err();
    let answer = Rejection(rejected).into_response();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    Ok(())
}

#[tokio::test]
async fn redis_connections() -> Result<(), Box<dyn std::error::Error>> {
    fn is_a_connection<T: ConnectionLike + Clone>(_: &T) {}
    let manager = ConnectionManager::new_lazy_with_config(
        redis::Client::open("redis://127.0.0.1:1/")?,
        ConnectionManagerConfig::new(),
    )?;
    let breaker = CircuitBreaker::new("cache", CircuitBreakerConfig::default());
    let connection = ProtectedConnection::new(manager.clone(), breaker);
    is_a_connection(&connection);
    let full = redis::make_extension_error("OOM".into(), None);
    let outcome: Outcome = halfopen_redis::outcome(&full);
    assert_eq!(outcome, Outcome::Failure);

    let quota = Quota::calls(100).per(Duration::from_secs(60)).build()?;
    let limiter = SharedRateLimiter::builder("tasks", quota, connection.clone())
        .budget(Duration::from_millis(50))
        .expected_nodes(4)
        .build();
    let permitted: Result<(), Rejected> = limiter.try_acquire().await;
    permitted?;
    limiter.acquire().await?;

    let config = FleetConfig::builder("checkout")
        .share(["payments", "db-*"])
        .sync_interval(Duration::from_millis(250))
        .build()?;
    let fleet: Fleet = Fleet::join(Registry::new(), manager, config);
    let _: FleetStatus = fleet.status();
    Ok(())
}

#[tokio::test]
async fn pools() -> Result<(), Box<dyn std::error::Error>> {
    fn is_an_executor<'a, T: Executor<'a, Database = Sqlite> + Acquire<'a, Database = Sqlite>>(_: T) {}
    let bare = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    let pool: ProtectedPool<Sqlite> =
        ProtectedPool::new(bare, CircuitBreaker::new("orders", halfopen_sqlx::breaker_config().build()?))
            .query_timeout(Duration::from_secs(3))
            .health_check_query("SELECT 1");
    is_an_executor(&pool);
    sqlx::query("CREATE TABLE orders (id INTEGER)").execute(&pool).await?;
    let transaction: ProtectedTransaction<Sqlite> = pool.begin().await?;
    transaction.commit().await?;
    let count: i64 = pool
        .run(async |pool| sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&pool).await)
        .await?;
    assert_eq!(count, 0);
    let outcome: Outcome = halfopen_sqlx::outcome(&sqlx::Error::PoolTimedOut);
    assert_eq!(outcome, Outcome::Failure);
    pool.breaker().force_open();
    let error: sqlx::Error = sqlx::query("SELECT 1").execute(&pool).await.unwrap_err();
    assert!(halfopen::rejection(&error).is_some());
    Ok(())
}
