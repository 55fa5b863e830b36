//! Checks that hang, panic or block their thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use halfopen_health::{HealthCheck, HealthMonitor};
use tokio::time::sleep;

use crate::world::{SECOND, every_ten_seconds, registry};

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_has_failed() {
    let registry = registry(SECOND);
    let running = Arc::new(AtomicUsize::new(0));
    let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&running));
    let seen = Arc::clone(&most);
    let check = HealthCheck::every(SECOND).timeout(5 * SECOND).jitter(0.0).run(move || {
        let running = Running::begin(&now, &seen);
        async move {
            let _running = running;
            std::future::pending::<Result<(), String>>().await
        }
    });
    let monitor = HealthMonitor::new(registry.clone()).check("db", check).unwrap();
    sleep(16 * SECOND).await;
    let check = &monitor.summary().checks[0];
    assert_eq!((check.checks, check.failed), (3, 3));
    assert_eq!(check.last_error.as_deref(), Some("no answer in 5s"));
    assert!(registry.get("db").unwrap().is_open());
    assert_eq!(most.load(Ordering::SeqCst), 1, "no check runs twice at the same time");
    drop(monitor);
    tokio::task::yield_now().await;
    sleep(SECOND).await;
    assert_eq!(running.load(Ordering::SeqCst), 0, "no check outlives its monitor");
}

/// Counts the checks that run.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn begin(running: &Arc<AtomicUsize>, most: &AtomicUsize) -> Running {
        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Running(Arc::clone(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_has_failed() {
    let registry = registry(SECOND);
    let polled = every_ten_seconds().run(|| async {
        if true {
            panic!("no such table");
        }
        Ok::<(), String>(())
    });
    let called = every_ten_seconds().run(|| -> std::future::Ready<Result<(), String>> { panic!("no pool") });
    let monitor = HealthMonitor::new(registry).check("a", polled).unwrap().check("b", called).unwrap();
    sleep(11 * SECOND).await;
    let summary = monitor.summary();
    assert_eq!(summary.get("a").unwrap().last_error.as_deref(), Some("panicked: no such table"));
    assert_eq!(summary.get("b").unwrap().last_error.as_deref(), Some("panicked: no pool"));
    assert_eq!(summary.unhealthy, 2, "the checks go on after a panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_check_that_blocks_its_thread_has_failed() {
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let check =
        HealthCheck::every(Duration::from_millis(5)).timeout(Duration::from_millis(5)).run(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let blocked = Arc::clone(&blocked);
            async move { blocked.lock().unwrap().recv() }
        });
    let registry = registry(SECOND);
    let busy = tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    let monitor = HealthMonitor::new(registry.clone()).check("db", check).unwrap();
    // Tokio's timers stand still while one worker is blocked and the others are parked.
    while !registry.any_open() {
        tokio::task::yield_now().await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1, "no second check beside one that blocks");
    let error = monitor.summary().checks[0].last_error.clone().unwrap();
    assert_eq!(error, "the previous check still blocks its thread");

    // Neither one that replaces it nor one that comes after its removal.
    let counted = Arc::clone(&calls);
    let other = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<(), String>(()) }
    };
    let quick = || HealthCheck::every(Duration::from_millis(5)).timeout(Duration::from_millis(5));
    for removed in [false, true] {
        if removed {
            assert!(monitor.remove("db"));
        }
        let before = monitor.summary().get("db").map_or(0, |check| check.failed);
        monitor.set("db", quick().run(other.clone())).unwrap();
        while monitor.summary().checks[0].failed < before + 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1, "removed before: {removed}");
    }
    busy.abort();
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn a_long_error_is_cut() {
    let check = every_ten_seconds().run(|| async { Err::<(), _>("é".repeat(100_000)) });
    let monitor = HealthMonitor::new(registry(SECOND)).check("db", check).unwrap();
    sleep(SECOND).await;
    let error = monitor.summary().checks[0].last_error.clone().unwrap();
    assert_eq!(error, format!("{}..", "é".repeat(250)));
}
