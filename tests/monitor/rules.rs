//! When alerts fire and resolve, and what the dashboard has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use halfopen_monitor::{AlertRule, ClosureNotifier, Condition, Monitor, Severity};
use tokio::time::sleep;

use crate::world::{Inbox, SECOND, registry, started};

#[tokio::test(start_paused = true)]
async fn an_opening_fires_and_its_end_resolves() {
    let registry = registry();
    let rule = AlertRule::new("opened").severity(Severity::High).cooldown(60 * SECOND);
    let (monitor, inbox) = started(Monitor::builder(registry.clone()).rule(rule)).await;
    let payments = registry.get_or_create("payments");
    payments.trip();
    sleep(SECOND / 2).await;
    assert_eq!(inbox.take(), ["firing opened payments"], "changes are evaluated before the interval");
    assert!(monitor.firing()[0].message.starts_with("payments: open for "));
    payments.reset();
    sleep(SECOND / 2).await;
    assert_eq!(inbox.take(), ["resolved opened payments"]);
    payments.trip();
    sleep(50 * SECOND).await;
    assert_eq!(inbox.take(), [""; 0], "in the cooldown");
    sleep(20 * SECOND).await;
    assert_eq!(inbox.take(), ["firing opened payments"], "it still holds after the cooldown");
    registry.remove("payments");
    sleep(6 * SECOND).await;
    assert_eq!(inbox.take(), ["resolved opened payments"], "the breaker is gone");
}

#[tokio::test(start_paused = true)]
async fn each_shipped_rule_holds_for_its_trouble() {
    let registry = registry();
    let connected = Arc::new(AtomicBool::new(true));
    let store = Arc::clone(&connected);
    let builder = Monitor::builder(registry.clone()).shipped_rules();
    let builder = builder.store("fleet", move || store.load(Ordering::SeqCst));
    let (_monitor, inbox) = started(builder).await;

    let shop = registry.get_or_create("shop");
    for call in 0..20 {
        let permit = shop.try_acquire().unwrap();
        if call % 4 == 0 { permit.failure() } else { permit.success() }
    }
    sleep(6 * SECOND).await;
    assert_eq!(inbox.take(), ["firing high_failure_rate shop"]);

    let mail = registry.get_or_create("mail");
    sleep(6 * SECOND).await;
    mail.open_for(3_600 * SECOND);
    sleep(SECOND).await;
    for _ in 0..100 {
        assert!(mail.try_acquire().is_err());
    }
    sleep(5 * SECOND).await;
    let fired = inbox.take();
    assert!(fired.contains(&"firing opened mail".to_owned()), "{fired:?}");
    assert!(fired.contains(&"firing many_rejections mail".to_owned()), "{fired:?}");
    sleep(900 * SECOND).await;
    let fired = inbox.take();
    assert!(fired.contains(&"firing stuck_open mail".to_owned()), "{fired:?}");
    assert!(fired.contains(&"resolved many_rejections mail".to_owned()), "{fired:?}");

    let search = registry.get_or_create("search");
    for _ in 0..4 {
        search.trip();
        search.reset();
    }
    sleep(6 * SECOND).await;
    assert!(inbox.take().contains(&"firing flapping search".to_owned()));

    connected.store(false, Ordering::SeqCst);
    sleep(6 * SECOND).await;
    assert_eq!(inbox.take(), ["firing store_gone fleet"]);
    connected.store(true, Ordering::SeqCst);
    sleep(6 * SECOND).await;
    assert_eq!(inbox.take(), ["resolved store_gone fleet"]);
}

#[tokio::test(start_paused = true)]
async fn a_function_decides_by_category_and_rate() {
    let registry = registry();
    let rule = AlertRule::new("critical_ai_failure")
        .severity(Severity::Critical)
        .when(|m| m.category == "ai" && m.failure_rate > 0.8);
    let broken = AlertRule::new("broken").when(|_| panic!("in a rule"));
    let builder = Monitor::builder(registry.clone()).rule(broken).rule(rule);
    let builder = builder.category(|name| name.starts_with("claude").then(|| "ai".to_owned()));
    let (_monitor, inbox) = started(builder).await;
    for name in ["claude", "payments"] {
        for _ in 0..9 {
            registry.get_or_create(name).try_acquire().unwrap().failure();
        }
    }
    sleep(6 * SECOND).await;
    assert_eq!(inbox.take(), ["firing critical_ai_failure claude"]);
}

#[tokio::test(start_paused = true)]
async fn notifiers_have_severities_and_rules_have_breakers() {
    let registry = registry();
    let (all, urgent) = (Inbox::default(), Inbox::default());
    let _monitor = Monitor::builder(registry.clone())
        .rule(AlertRule::new("any").severity(Severity::Low))
        .rule(AlertRule::new("databases").severity(Severity::High).breakers(["db-*", "redis"]))
        .notify(all.notifier("all"))
        .notify_from(Severity::High, urgent.notifier("urgent"))
        .start()
        .unwrap();
    registry.get_or_create("mail").trip();
    registry.get_or_create("db-7").trip();
    sleep(SECOND).await;
    assert_eq!(all.take().len(), 3);
    assert_eq!(urgent.take(), ["firing databases db-7"]);
}

#[tokio::test(start_paused = true)]
async fn the_dashboard_has_health_services_and_history() {
    let registry = registry();
    let builder = Monitor::builder(registry.clone()).shipped_rules().history(3);
    let (monitor, _inbox) = started(builder).await;
    assert!((monitor.dashboard_data().overview.health_percentage - 100.0).abs() < 1e-9);
    for name in ["a", "b", "c", "d"] {
        registry.get_or_create(name);
    }
    for _ in 0..4 {
        registry.get("a").unwrap().trip();
        registry.get("a").unwrap().reset();
    }
    registry.get("a").unwrap().trip();
    sleep(SECOND).await;
    let data = serde_json::to_value(monitor.dashboard_data()).unwrap();
    assert_eq!(data["overview"]["health_percentage"], 75.0);
    assert_eq!(data["overview"]["open"], 1);
    assert_eq!(data["overview"]["history_dropped"], 6);
    assert_eq!(data["history"].as_array().unwrap().len(), 3);
    assert_eq!(data["services"][0]["state"], "open");
    assert_eq!(data["services"][1]["failure_rate"], serde_json::Value::Null);
    let explanation = data["services"][0]["explanation"].as_str().unwrap();
    assert!(explanation.starts_with("Circuit breaker `a` is open"), "{explanation}");
    assert_eq!(data["alerts"]["firing"][0]["rule"], "flapping");
    assert_eq!(data["notifiers"][0]["name"], "inbox");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_monitor_sees_nothing_more() {
    let registry = registry();
    let (monitor, inbox) = started(Monitor::builder(registry.clone()).shipped_rules()).await;
    let data = monitor.clone();
    drop(monitor);
    registry.get_or_create("a").trip();
    sleep(SECOND).await;
    assert_eq!(inbox.take(), ["firing opened a"], "a clone is left");
    drop(data);
    registry.get_or_create("b").trip();
    sleep(60 * SECOND).await;
    assert_eq!(inbox.take(), [""; 0]);
}

#[tokio::test]
async fn invalid_numbers_are_named_with_their_range() {
    let builder = || Monitor::builder(registry());
    let rule = |condition| builder().rule(AlertRule::new("r").condition(condition));
    let twice = || ClosureNotifier::new("n", |_| {});
    for (builder, expected) in [
        (
            builder().interval(std::time::Duration::ZERO),
            "interval is 0ns, but must be above 0s and at most 1h",
        ),
        (builder().history(100_001), "history is 100001, but must be at most 100,000"),
        (builder().queue_capacity(0), "queue_capacity is 0, but must be from 1 to 100,000"),
        (
            builder().notifier_timeout(std::time::Duration::ZERO),
            "notifier_timeout is 0s, but must be above 0s",
        ),
        (
            rule(Condition::FailureRate { above: 1.5, minimum_calls: 1 }),
            "rule `r`: above is 1.5, but must be above 0 and at most 1",
        ),
        (
            rule(Condition::SlowCallRate { above: f64::NAN, minimum_calls: 1 }),
            "rule `r`: above is NaN, but must be above 0 and at most 1",
        ),
        (
            rule(Condition::RejectionsPerSecond { above: 0.0 }),
            "rule `r`: above is 0, but must be a number of calls a second above 0",
        ),
        (
            rule(Condition::Flapping { openings: 0, within: SECOND }),
            "rule `r`: openings is 0, but must be at least 1",
        ),
        (
            rule(Condition::Opened).rule(AlertRule::new("r")),
            "rule `r` is there twice: alerts are known by the names of their rules",
        ),
        (builder().notify(twice()).notify(twice()), "notifier `n` is there twice"),
        (
            builder().rule(AlertRule::new("notifier_gone")),
            "rule `notifier_gone`: the name is that of a rule which every monitor has",
        ),
        (builder().rule(AlertRule::new("")), "rule ``: the name has 0 bytes, but must have 1 to 100"),
    ] {
        assert_eq!(builder.start().unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_monitor_outside_a_runtime_is_an_error() {
    let error = Monitor::builder(halfopen::Registry::new()).start().unwrap_err();
    assert_eq!(error.to_string(), "a monitor needs a tokio runtime, of which no handle is current");
}
