//! The effect of checks on breakers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use halfopen::{Event, State};
use halfopen_health::{HealthCheck, HealthMonitor, HealthStatus, ValidationResult};
use tokio::time::sleep;

use crate::world::{Dependency, SECOND, every_ten_seconds, monitored, registry, trip_by_rule};

#[tokio::test(start_paused = true)]
async fn failing_checks_open_a_breaker_for_as_long() {
    let registry = registry(SECOND);
    let (monitor, db) = monitored(&registry, every_ten_seconds()).await;
    db.set_ill(true);
    sleep(10 * SECOND).await;
    assert!(!registry.any_open(), "one of two");
    sleep(10 * SECOND).await;
    let breaker = registry.get("db").unwrap();
    for _ in 0..3_600 {
        assert_eq!(breaker.state(), State::Open);
        sleep(SECOND).await;
    }
    db.set_ill(false);
    sleep(10 * SECOND).await;
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.try_acquire().unwrap().success();
    assert!(breaker.is_closed());
    assert_eq!(monitor.summary().checks[0].status, HealthStatus::Healthy);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_an_hour_is_renewed_rarely() {
    let registry = registry(SECOND);
    let openings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&openings);
    let _subscription = registry.on_event(move |_, event| {
        if matches!(event, Event::StateChanged(change) if change.to == State::Open) {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let (_monitor, db) = monitored(&registry, every_ten_seconds()).await;
    db.set_ill(true);
    sleep(3_600 * SECOND).await;
    let openings = openings.load(Ordering::SeqCst);
    assert!((100..=185).contains(&openings), "{openings} openings in 360 checks");
}

#[tokio::test(start_paused = true)]
async fn a_passing_check_ends_the_wait_of_an_outage() {
    let registry = registry(600 * SECOND);
    let (_monitor, _db) = monitored(&registry, every_ten_seconds()).await;
    let breaker = registry.get_or_create("db");
    trip_by_rule(&breaker);
    sleep(10 * SECOND).await;
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_sees_nothing_keeps_the_backoff() {
    let registry = registry(600 * SECOND);
    let (_monitor, _db) = monitored(&registry, every_ten_seconds()).await;
    let breaker = registry.get_or_create("db");
    trip_by_rule(&breaker);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let mut seconds = 0;
        while !breaker.is_half_open() {
            sleep(SECOND).await;
            seconds += 1;
        }
        waits.push(seconds);
        breaker.try_acquire().unwrap().failure();
    }
    assert_eq!(waits, [10, 20, 40, 80]);
}

#[tokio::test(start_paused = true)]
async fn an_override_outlives_checks_of_both_kinds() {
    let registry = registry(SECOND);
    let (_monitor, db) = monitored(&registry, every_ten_seconds()).await;
    let breaker = registry.get_or_create("db");
    for (ill, state) in [(false, State::ForcedOpen), (true, State::Disabled), (true, State::MetricsOnly)] {
        match state {
            State::ForcedOpen => breaker.force_open(),
            State::Disabled => breaker.disable(),
            _ => breaker.metrics_only(),
        }
        db.set_ill(ill);
        sleep(60 * SECOND).await;
        assert_eq!(breaker.state(), state);
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_of_an_operator_is_not_ended() {
    let registry = registry(SECOND);
    let (_monitor, _db) = monitored(&registry, every_ten_seconds()).await;
    let breaker = registry.get_or_create("db");
    breaker.open_for(3_600 * SECOND);
    sleep(3_500 * SECOND).await;
    assert!(breaker.is_open());
}

#[tokio::test(start_paused = true)]
async fn no_probe_passes_the_gate_before_a_check() {
    let registry = registry(SECOND);
    let (_monitor, db) =
        monitored(&registry, every_ten_seconds().gate_probes(true).failure_threshold(100)).await;
    let breaker = registry.get_or_create("db");
    db.set_ill(true);
    trip_by_rule(&breaker);
    for second in 0..600 {
        assert!(breaker.try_acquire().is_err(), "a probe after {second} s");
        sleep(SECOND).await;
    }
    db.set_ill(false);
    sleep(10 * SECOND).await;
    breaker.try_acquire().unwrap().success();
    assert!(breaker.is_closed());
}

#[tokio::test(start_paused = true)]
async fn without_a_gate_the_wait_ends_by_itself() {
    let registry = registry(SECOND);
    let (_monitor, db) = monitored(&registry, every_ten_seconds().failure_threshold(100)).await;
    db.set_ill(true);
    let breaker = registry.get_or_create("db");
    trip_by_rule(&breaker);
    // Its jitter included.
    sleep(2 * SECOND).await;
    assert!(breaker.is_half_open());
}

#[tokio::test(start_paused = true)]
async fn a_service_is_down_while_its_database_is() {
    let registry = registry(600 * SECOND);
    let check = every_ten_seconds().failure_threshold(1).from_breaker("db");
    let _monitor = HealthMonitor::new(registry.clone()).check("shop", check).unwrap();
    sleep(SECOND).await;
    let db = registry.get_or_create("db");
    trip_by_rule(&db);
    sleep(10 * SECOND).await;
    let shop = registry.get("shop").unwrap();
    assert!(shop.is_open());
    db.force_closed();
    sleep(10 * SECOND).await;
    assert!(shop.is_half_open());
}

#[tokio::test(start_paused = true)]
async fn breakers_do_not_wait_for_each_other() {
    let on = |name: &str| every_ten_seconds().from_breaker(name);
    let monitor =
        HealthMonitor::new(registry(SECOND)).check("a", on("b")).unwrap().check("b", on("c")).unwrap();
    let error = monitor.set("c", on("a")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "health check `c`: from_breaker makes a circle of which no breaker would recover: c -> a -> b -> c"
    );
    assert_eq!(monitor.summary().total, 2);
    monitor.set("c", on("d")).unwrap();
    assert!(monitor.set("d", on("b")).is_err(), "in a circle that begins elsewhere");
}

#[tokio::test(start_paused = true)]
async fn a_removed_breaker_is_created_when_it_opens() {
    let registry = registry(SECOND);
    let (monitor, db) = monitored(&registry, every_ten_seconds()).await;
    assert!(registry.get("db").is_none(), "a passing check needs no breaker");
    trip_by_rule(&registry.get_or_create("db"));
    registry.remove("db");
    db.set_ill(true);
    sleep(20 * SECOND).await;
    assert!(registry.get("db").unwrap().is_open());
    registry.remove("db");
    sleep(10 * SECOND).await;
    assert!(registry.get("db").unwrap().is_open());
    assert!(!ValidationResult::from(&monitor.summary()).valid);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_monitor_lets_go_and_checks_no_more() {
    let registry = registry(SECOND);
    let (monitor, db) = monitored(&registry, every_ten_seconds()).await;
    db.set_ill(true);
    sleep(20 * SECOND).await;
    let clone = monitor.clone();
    drop(monitor);
    assert!(registry.get("db").unwrap().is_open(), "a clone is left");
    drop(clone);
    assert!(registry.get("db").unwrap().is_half_open());
    let asked = db.asked();
    sleep(60 * SECOND).await;
    assert_eq!(db.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_removed_check_lets_go() {
    let registry = registry(SECOND);
    let (monitor, db) = monitored(&registry, every_ten_seconds()).await;
    db.set_ill(true);
    sleep(20 * SECOND).await;
    assert!(monitor.remove("db") && !monitor.remove("db"));
    assert!(registry.get("db").unwrap().is_half_open());
    assert_eq!(monitor.summary().total, 0);
}

#[test]
fn a_monitor_can_be_dropped_after_its_runtime() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (registry, monitor) = runtime.block_on(async {
        let registry = registry(SECOND);
        let (monitor, db) = monitored(&registry, every_ten_seconds()).await;
        db.set_ill(true);
        sleep(20 * SECOND).await;
        (registry, monitor)
    });
    drop(runtime);
    assert_eq!(monitor.summary().unhealthy, 1);
    drop(monitor);
    assert!(!registry.get("db").unwrap().is_open());
}

#[test]
fn a_check_set_in_another_runtime_runs_there() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (first, second) = (runtime(), runtime());
    let (registry, db) = (registry_outside(), Dependency::default());
    let check = db.check(every_ten_seconds());
    let monitor = first.block_on(async {
        let monitor = HealthMonitor::new(registry).check("db", check.clone()).unwrap();
        sleep(SECOND).await;
        monitor
    });
    drop(first);
    assert_eq!(db.asked(), 1);
    second.block_on(async {
        monitor.set("db", check).unwrap();
        sleep(SECOND).await;
    });
    assert_eq!(db.asked(), 2, "the same check is started again, as its task is gone");
}

#[test]
fn a_check_outside_a_runtime_is_an_error() {
    let check = HealthCheck::every(SECOND).from_breaker("mail");
    let error = HealthMonitor::new(registry_outside()).check("db", check).unwrap_err();
    assert_eq!(error.to_string(), "health check `db`: needs a tokio runtime, of which no handle is current");
}

fn registry_outside() -> halfopen::Registry {
    halfopen::Registry::new()
}

#[tokio::test]
async fn invalid_numbers_are_named_with_their_range() {
    let every = HealthCheck::every;
    for (check, expected) in [
        (
            every(std::time::Duration::ZERO).from_breaker("b"),
            "interval is 0ns, but must be above 0s and at most 24h",
        ),
        (
            every(SECOND).timeout(100_000 * SECOND).from_breaker("b"),
            "timeout is 100000s, but must be above 0s and at most 24h",
        ),
        (every(SECOND).jitter(1.0).from_breaker("b"), "jitter is 1, but must be from 0 to below 1"),
        (every(SECOND).jitter(f64::NAN).from_breaker("b"), "jitter is NaN, but must be from 0 to below 1"),
        (
            every(SECOND).failure_threshold(0).from_breaker("b"),
            "failure_threshold is 0, but must be at least 1",
        ),
        (
            every(SECOND).success_threshold(0).from_breaker("b"),
            "success_threshold is 0, but must be at least 1",
        ),
        (
            every(SECOND).from_breaker("a"),
            "from_breaker is `a`, but must be another breaker: it would wait for itself",
        ),
        (every(SECOND).tcp("db"), "tcp is \"db\", but must be a host and a port such as db:5432"),
        (
            every(SECOND).url("db/health"),
            "url is \"db/health\", but must be a URL such as http://db.internal/health",
        ),
        (
            every(SECOND).url("ftp://app:s3cret@db/health"),
            "url is \"ftp://app:***@db/health\", but must be a URL such as http://db.internal/health",
        ),
        (every(SECOND).grpc("//", ""), "grpc is \"//\", but must be a URI such as http://db:50051"),
    ] {
        let error = HealthMonitor::new(registry_outside()).check("a", check).unwrap_err();
        assert_eq!(error.to_string(), format!("health check `a`: {expected}"));
        assert_eq!(error.check(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_the_times_of_checks() {
    let mut times = Vec::new();
    for seed in [7, 7, 8] {
        let registry = registry(SECOND);
        let start = tokio::time::Instant::now();
        let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let check = HealthCheck::every(10 * SECOND).jitter(0.5).run(move || {
            seen.lock().unwrap().push(start.elapsed());
            async { Ok::<_, String>(()) }
        });
        let _monitor = HealthMonitor::new(registry).seed(seed).check("db", check).unwrap();
        sleep(100 * SECOND).await;
        times.push(asked.lock().unwrap().clone());
    }
    assert!(times[0].len() > 5);
    assert_eq!(times[0], times[1]);
    assert_ne!(times[0], times[2]);
}
