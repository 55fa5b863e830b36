//! The preconfigured client.

use std::process::Command;

use halfopen::{Outcome, Registry, State};
use halfopen_reqwest::ResilientHttpClient;
use serde_json::Value;

use crate::server::Server;
use crate::world::{SECOND, after_its_timeout, config, ended, http, retry, url};

#[tokio::test]
async fn one_line_gives_a_client_with_a_breaker_per_host() {
    let server = Server::start().await;
    let client = ResilientHttpClient::builder().client(http()).build().unwrap();

    for _ in 0..5 {
        client.get(url(&server, "/status/503")).send().await.unwrap();
    }
    let error = client.get(url(&server, "/whole")).send().await.unwrap_err();
    assert_eq!(halfopen::rejection(&error).unwrap().name(), server.address().to_string());
    assert!(client.registry().any_open());
    assert_eq!(server.seen(), 5);
}

#[tokio::test]
async fn without_a_word_a_server_that_hangs_is_a_failure() {
    let server = Server::start().await;
    let client = ResilientHttpClient::builder().client(http()).build().unwrap();
    let request = client.get(url(&server, "/silent")).send();
    let error = after_its_timeout(request, || server.seen() == 1).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(ended(&client.registry().breakers()[0]), "failure");
}

#[tokio::test]
async fn every_part_can_be_changed() {
    let server = Server::start().await;
    let client = ResilientHttpClient::builder()
        .client(http().user_agent("inventory/2.1"))
        .connect_timeout(SECOND)
        .timeout(7 * SECOND)
        .config(config(1))
        .classify(|result: &reqwest_middleware::Result<reqwest::Response>| match result {
            Ok(response) if response.status() == 404 => Outcome::Failure,
            Ok(_) | Err(_) => Outcome::Success,
        })
        .until_body_end()
        .with(retry(2))
        .build()
        .unwrap();

    client.get(url(&server, "/status/404")).send().await.unwrap();
    let breaker = client.registry().get(&server.address().to_string()).unwrap();
    assert_eq!(breaker.state(), State::Open);

    breaker.reset();
    let response = client.get(url(&server, "/whole")).send().await.unwrap();
    assert_eq!(ended(&breaker), "failure");
    response.bytes().await.unwrap();
    assert_eq!(ended(&breaker), "success failure");
}

#[tokio::test]
async fn middleware_is_attached_outside_the_breaker() {
    let server = Server::start().await;
    let client =
        ResilientHttpClient::builder().client(http()).config(config(9)).with(retry(2)).build().unwrap();
    client.get(url(&server, "/status/503")).send().await.unwrap();
    assert_eq!(ended(&client.registry().breakers()[0]), "failure failure failure");
}

#[tokio::test]
async fn the_registry_can_be_shared_and_its_rules_hold() {
    let server = Server::start().await;
    let registry = Registry::builder().config_for(&server.address().to_string(), config(1)).build();
    let client = ResilientHttpClient::builder().client(http()).registry(registry.clone()).build().unwrap();
    client.get(url(&server, "/status/503")).send().await.unwrap();
    assert!(registry.any_open());

    let other = client.clone().into_client();
    assert!(halfopen::rejection(&other.get(url(&server, "/whole")).send().await.unwrap_err()).is_some());
}

#[test]
fn the_user_picks_tls() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages.iter().find(|package| package["name"] == "halfopen-reqwest").unwrap();
    let used = ours["dependencies"].as_array().unwrap();
    for name in ["reqwest", "reqwest-middleware"] {
        let of_this_name: Vec<_> = used.iter().filter(|used| used["name"] == name).collect();
        assert!(!of_this_name.is_empty());
        for used in of_this_name {
            assert_eq!(used["uses_default_features"], false, "{name}");
            assert_eq!(used["features"].as_array().unwrap().len(), 0, "{name}");
        }
    }
}

#[tokio::test]
async fn the_ready_client_detects_truncated_answers() {
    let server = Server::start().await;
    for (until_head, expected) in [(false, "failure"), (true, "success")] {
        let client = ResilientHttpClient::builder().client(http()).config(config(3));
        let client = if until_head { client.until_head() } else { client }.build().unwrap();
        let mut response = client.get(url(&server, "/cut")).send().await.unwrap();
        response.chunk().await.unwrap().unwrap();
        server.break_off();
        assert!(response.bytes().await.is_err());
        assert_eq!(ended(&client.registry().breakers()[0]), expected, "until_head {until_head}");
    }
}
