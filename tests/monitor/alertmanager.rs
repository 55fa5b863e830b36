//! Alerts in a real Alertmanager.

use std::process::Command;
use std::time::Duration;

use halfopen::Registry;
use halfopen_monitor::{AlertRule, AlertmanagerNotifier, Monitor, Severity};
use serde_json::Value;
use test_support::server::{ServerProcess, on_free_port, program};

const CONFIG: &str =
    "global: { resolve_timeout: 10s }\nroute: { receiver: none }\nreceivers: [{ name: none }]\n";

/// A running Alertmanager and its URL; [`None`] if it is not installed and that is permitted.
pub(crate) fn alertmanager() -> Option<(ServerProcess, String, tempfile::TempDir)> {
    let program = program("prometheus-alertmanager")?;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alertmanager.yml");
    std::fs::write(&file, CONFIG).unwrap();
    let (address, server) = on_free_port("Alertmanager", |address| {
        let mut command = Command::new(&program);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.path={}", folder.path().display()));
        command.args([&format!("--web.listen-address={address}"), "--cluster.listen-address="]);
        ServerProcess::start(&mut command, "Listening on")
    });
    Some((server, format!("http://{address}"), folder))
}

pub(crate) async fn alerts(url: &str) -> Vec<Value> {
    let text = reqwest::get(format!("{url}/api/v2/alerts")).await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn an_alert_is_one_alert_until_it_resolves() {
    let Some((_server, url, _folder)) = alertmanager() else { return };
    let registry = Registry::new();
    let notifier = AlertmanagerNotifier::new(&url).unwrap().label("job", "shop");
    let notifier = notifier.repeat_every(Duration::from_secs(1));
    let rule = AlertRule::new("opened").severity(Severity::High);
    let monitor = Monitor::builder(registry.clone()).rule(rule).notify(notifier).start().unwrap();
    registry.get_or_create("db").trip();

    // Sent, and sent again: each time the end is further ahead.
    let mut ends = Vec::new();
    while ends.len() < 3 {
        let all = alerts(&url).await;
        assert!(all.len() <= 1, "one alert: {all:?}");
        if let Some(alert) = all.first() {
            let labels = serde_json::json!(
                { "alertname": "opened", "breaker": "db", "severity": "high", "job": "shop" });
            assert_eq!(alert["labels"], labels);
            let end = alert["endsAt"].as_str().unwrap().to_owned();
            if ends.last() != Some(&end) {
                assert!(ends.last().is_none_or(|last| *last < end), "{ends:?}, {end}");
                ends.push(end);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    registry.get_or_create("db").reset();
    while !alerts(&url).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let status = &monitor.dashboard_data().notifiers[0];
    assert_eq!((status.failed_attempts, status.refused), (0, 0), "{status:?}");
}
