//! Health checks, alerts and the live page.

use std::time::Duration;

use halfopen::{BoxError, CircuitBreaker, CircuitBreakerConfig, Registry};
use halfopen_health::{HealthCheck, HealthMonitor, HealthStatus, HealthSummary, ValidationResult};
use halfopen_monitor::{
    Alert, AlertRule, AlertmanagerNotifier, ClosureNotifier, DashboardData, LogNotifier, Monitor, Notifier,
    PageRoutes, Severity, SlackNotifier, WebhookNotifier,
};

#[tokio::test]
async fn health_checks() -> Result<(), Box<dyn std::error::Error>> {
    let every = || HealthCheck::every(Duration::from_secs(15)).timeout(Duration::from_secs(3));
    let registry = Registry::new();
    registry.get_or_create("db");
    let monitor = HealthMonitor::new(registry)
        .check("db", every().failure_threshold(3).gate_probes(true).run(|| async { Ok::<_, BoxError>(()) }))?
        .check("page", every().url("http://127.0.0.1:1/health"))?
        .check("cache", every().tcp("127.0.0.1:1"))?
        .check("users", every().grpc("http://127.0.0.1:1", "users.Users"))?
        .check("orders", every().from_breaker("db"))?;
    let summary: HealthSummary = monitor.summary();
    assert_eq!(summary.checks.len(), 5);
    let _: Option<HealthStatus> = summary.get("db").map(|check| check.status);
    let breaker = CircuitBreaker::new("db", CircuitBreakerConfig::default());
    let ValidationResult { valid, errors, warnings, .. } = ValidationResult::from(&breaker.snapshot());
    assert!(valid && errors.is_empty() && warnings.is_empty());
    Ok(())
}

#[tokio::test]
async fn alerts() -> Result<(), Box<dyn std::error::Error>> {
    fn is_a_notifier<T: Notifier>(_: &T) {}
    let rule = AlertRule::new("critical_ai_failure")
        .severity(Severity::Critical)
        .when(|breaker| breaker.category == "ai" && breaker.failure_rate > 0.8)
        .cooldown(Duration::from_secs(5 * 60));
    let closure = ClosureNotifier::new("pager", |alert: &Alert| drop(alert.clone()));
    is_a_notifier(&closure);
    is_a_notifier(&WebhookNotifier::new("hook", "http://127.0.0.1:1/")?);
    is_a_notifier(&SlackNotifier::new("http://127.0.0.1:1/")?);
    is_a_notifier(&AlertmanagerNotifier::new("http://127.0.0.1:1/")?);
    let _ = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    let registry = Registry::new();
    registry.get_or_create("claude");
    let monitor: Monitor = Monitor::builder(registry)
        .rule(rule)
        .shipped_rules()
        .notify(LogNotifier)
        .notify_from(Severity::High, closure)
        .start()?;
    let data: DashboardData = monitor.dashboard_data();
    assert_eq!((data.overview.total, data.overview.health_percentage), (1, 100.0));
    let page: PageRoutes = monitor.routes();
    let _: axum::Router = page.actions("a token of more than sixteen bytes")?.into_router();
    Ok(())
}
