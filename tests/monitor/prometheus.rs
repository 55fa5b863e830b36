//! A real Prometheus that scrapes the metrics of a service, with the rules of the repository, and a real Alertmanager.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use halfopen::Registry;
use halfopen_metrics::CircuitBreakerMetrics;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::server::{ServerProcess, on_free_port, program};
use tokio::net::TcpListener;

use crate::alertmanager::{alertmanager, alerts};

/// Serves `/metrics` of the breakers of a registry.
async fn metrics_of(registry: &Registry) -> SocketAddr {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let metrics = metrics::with_local_recorder(&recorder, || CircuitBreakerMetrics::new(registry));
    let page = move || {
        metrics::with_local_recorder(&recorder, || metrics.publish());
        std::future::ready(handle.render())
    };
    let page = std::sync::Arc::new(page);
    let app: Router = Router::new().route("/metrics", get(move || page()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A Prometheus that scrapes a service five times a second, and has a rule without a delay beside those of the repository.
fn prometheus(service: SocketAddr, alertmanager: &str) -> Option<(ServerProcess, String, TempDir)> {
    let program = program("prometheus")?;
    let folder = tempfile::tempdir().unwrap();
    let shipped =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/halfopen-metrics/dashboards/alerts.yml");
    let rule =
        json!({ "alert": "Open", "expr": "max by (breaker) (circuit_breaker_state{state=\"open\"}) > 0" });
    let rules = json!({ "groups": [{ "name": "now", "interval": "200ms", "rules": [rule] }] });
    std::fs::write(folder.path().join("now.yml"), rules.to_string()).unwrap();
    let host = alertmanager.trim_start_matches("http://");
    // JSON is YAML.
    let config = json!({
        "global": { "scrape_interval": "200ms", "evaluation_interval": "200ms" },
        "rule_files": ["now.yml", shipped],
        "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": [host] }] }] },
        "scrape_configs": [{ "job_name": "shop", "static_configs": [{ "targets": [service.to_string()] }] }],
    });
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config.to_string()).unwrap();
    let (address, server) = on_free_port("Prometheus", |address| {
        let mut command = Command::new(&program);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        ServerProcess::start(&mut command, "Server is ready to receive web requests")
    });
    Some((server, format!("http://{address}"), folder))
}

async fn ask(url: &str) -> Value {
    serde_json::from_str(&reqwest::get(url).await.unwrap().text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn an_opening_travels_to_alertmanager_and_back() {
    let Some((_alertmanager, alertmanager, _folder)) = alertmanager() else { return };
    let registry = Registry::new();
    let db = registry.get_or_create("db");
    let service = metrics_of(&registry).await;
    let Some((_prometheus, url, _data)) = prometheus(service, &alertmanager) else { return };

    let rules = ask(&format!("{url}/api/v1/rules")).await;
    let groups = rules["data"]["groups"].as_array().unwrap();
    let loaded: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(loaded.len() > 10, "the rules of the repository are loaded: {loaded:?}");
    let pause = || tokio::time::sleep(Duration::from_millis(50));
    let state = |state: &str| format!("{url}/api/v1/query?query=circuit_breaker_state{{state=\"{state}\"}}");
    while ask(&state("closed")).await["data"]["result"].as_array().unwrap().is_empty() {
        pause().await;
    }
    assert!(alerts(&alertmanager).await.is_empty());

    db.open_for(Duration::from_secs(600));
    let fired = loop {
        if let Some(alert) = alerts(&alertmanager).await.pop() {
            break alert;
        }
        pause().await;
    };
    assert_eq!(fired["labels"], json!({ "alertname": "Open", "breaker": "db" }));
    db.reset();
    while !alerts(&alertmanager).await.is_empty() {
        pause().await;
    }
    let rules = ask(&format!("{url}/api/v1/rules")).await;
    let broken = rules["data"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    let broken: Vec<_> = broken.filter(|rule| rule["health"] == "err").collect();
    assert!(broken.is_empty(), "every rule can be evaluated: {broken:?}");
}
