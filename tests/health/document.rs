//! The `health_check_config` of a document.

use halfopen_config::{Format, LiveRegistry, Loader};
use halfopen_health::{HealthCheckConfig, HealthMonitor, ValidationResult};
use tokio::time::sleep;

use crate::world::{Dependency, SECOND, every_ten_seconds};

fn live(text: &str) -> LiveRegistry {
    try_live(text).unwrap()
}

fn try_live(text: &str) -> Result<LiveRegistry, halfopen_config::DocumentError> {
    LiveRegistry::new(Loader::new().section::<HealthCheckConfig>().text("b.yaml", Format::Yaml, text))
}

fn names(monitor: &HealthMonitor) -> Vec<String> {
    monitor.summary().checks.into_iter().map(|check| check.name).collect()
}

#[tokio::test(start_paused = true)]
async fn the_document_has_the_interval_and_code_the_function() {
    let document = "
        defaults: { health_check_config: { health_check_jitter: 0 } }
        breakers: { db: { health_check_config: { health_check_interval: 2, health_check_timeout: 1 } } }";
    let live = live(document);
    let monitor = HealthMonitor::from_document(&live).unwrap();
    assert_eq!(monitor.summary().without_target, ["db"]);
    let db = Dependency::default();
    monitor.set("db", db.check(every_ten_seconds().jitter(0.9))).unwrap();
    assert!(monitor.summary().without_target.is_empty());
    sleep(11 * SECOND).await;
    assert_eq!(db.asked(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_new_document_changes_and_ends_checks() {
    let of = |text: &str| {
        format!(
            "breakers: {{ db: {{}}, shop: {{ health_check_config: {{ health_check_jitter: 0, {text} }} }} }}"
        )
    };
    let live = live(&of("health_check_interval: 10, health_check_breaker: db"));
    let monitor = HealthMonitor::from_document(&live).unwrap();
    sleep(SECOND).await;
    assert_eq!(monitor.summary().checks[0].checks, 1);
    let text = of("health_check_interval: 1, health_check_failure_threshold: 1, health_check_breaker: db");
    live.apply(Format::Yaml, &text).unwrap();
    live.registry().get("db").unwrap().force_open();
    sleep(5 * SECOND).await;
    let shop = live.registry().get("shop").unwrap();
    assert!(shop.is_open());
    assert!(monitor.summary().checks[0].checks > 4, "results are kept and the interval is new");
    live.apply(Format::Yaml, "breakers: { db: {}, shop: {} }").unwrap();
    assert!(names(&monitor).is_empty());
    assert!(shop.is_half_open(), "a check that ends lets its breaker go");
}

#[tokio::test(start_paused = true)]
async fn a_document_does_not_keep_its_monitor() {
    let text = |interval: u32| {
        format!(
            "breakers: {{ a: {{ health_check_config: {{ health_check_interval: {interval}, health_check_breaker: b }} }} }}"
        )
    };
    let live = live(&text(1));
    drop(HealthMonitor::from_document(&live).unwrap());
    live.apply(Format::Yaml, &text(2)).unwrap();
    let again = HealthMonitor::from_document(&live).unwrap();
    assert_eq!(names(&again), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_document_makes_no_circle() {
    let of = |other: &str| format!("{{ health_check_config: {{ health_check_breaker: {other} }} }}");
    let text = format!("breakers: {{ a: {}, b: {}, c: {} }}", of("b"), of("a"), of("a"));
    let live = live(&text);
    let monitor = HealthMonitor::from_document(&live).unwrap();
    let summary = monitor.summary();
    assert_eq!(
        (names(&monitor), &summary.circular),
        (vec!["c".to_owned()], &vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(ValidationResult::from(&summary).errors.len(), 2);
    live.apply(Format::Yaml, &format!("breakers: {{ a: {}, b: {{}}, c: {} }}", of("b"), of("a"))).unwrap();
    assert_eq!(
        (names(&monitor), monitor.summary().circular.len()),
        (vec!["a".to_owned(), "c".to_owned()], 0)
    );
}

#[test]
fn wrong_values_name_their_place() {
    let of = |text: &str| {
        let text = format!("breakers: {{ db: {{ health_check_config: {{ {text} }} }} }}");
        try_live(&text).unwrap_err().problems()[0].message().to_owned()
    };
    assert_eq!(
        of("health_check_interval: 0"),
        "`breakers.db.health_check_config.health_check_interval` is 0, but must be above 0s and at most 24h"
    );
    assert_eq!(
        of("health_check_url: nowhere"),
        "`breakers.db.health_check_config.health_check_url` is \"nowhere\", but must be a URL such as http://db.internal/health"
    );
    assert_eq!(
        of("health_check_tcp: db"),
        "`breakers.db.health_check_config.health_check_tcp` is \"db\", but must be a host and a port such as db:5432"
    );
    assert_eq!(
        of("health_check_grpc: '//'"),
        "`breakers.db.health_check_config.health_check_grpc` is \"//\", but must be a URI such as http://db:50051"
    );
    assert_eq!(
        of("health_check_breaker: db"),
        "`breakers.db.health_check_config.health_check_breaker` is `db`, but must be another breaker: it would wait for itself"
    );
}
