//! Checks of real servers: those that answer, hang, answer 500 and drop connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use halfopen::Registry;
use halfopen_health::{HealthCheck, HealthCheckBuilder, HealthMonitor};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tonic::codegen::tokio_stream::wrappers::TcpListenerStream;

/// The error of the first check, or [`None`] if it passed.
async fn first_error(check: HealthCheck) -> Option<String> {
    let monitor = HealthMonitor::new(Registry::new()).check("db", check).unwrap();
    loop {
        let summary = monitor.summary();
        if summary.checks[0].checks > 0 {
            return summary.checks[0].last_error.clone();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn once() -> HealthCheckBuilder {
    HealthCheck::every(Duration::from_secs(3_600)).jitter(0.0).timeout(Duration::from_secs(20))
}

fn briefly() -> HealthCheckBuilder {
    once().timeout(Duration::from_millis(50))
}

async fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A server that a test leaves running until the runtime ends.
async fn web() -> SocketAddr {
    let (listener, address) = bound().await;
    let app = Router::new()
        .route("/well", get(|| async { "ok" }))
        .route("/ill", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/moved", get(|| async { (StatusCode::FOUND, [("location", "/well")]) }))
        .route("/hangs", get(std::future::pending::<&'static str>));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A server that closes each connection after the first byte of the request, or none.
async fn dropping() -> (SocketAddr, AbortHandle) {
    let (listener, address) = bound().await;
    let task = tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    (address, task.abort_handle())
}

#[tokio::test]
async fn a_url_is_healthy_by_its_status() {
    let address = web().await;
    let url = |path: &str| format!("http://{address}/{path}");
    assert_eq!(first_error(once().url(url("well"))).await, None);
    let expected = format!("{}: 500 Internal Server Error", url("ill"));
    assert_eq!(first_error(once().url(url("ill"))).await, Some(expected));
    let expected = format!("{}: 302 Found", url("moved"));
    assert_eq!(first_error(once().url(url("moved"))).await, Some(expected), "a login page is not health");
    let secret = once().url(format!("http://app:s3cret@{address}/ill"));
    let expected = format!("http://app:***@{address}/ill: 500 Internal Server Error");
    assert_eq!(first_error(secret).await, Some(expected), "no summary and no event has a password");
    let follows = reqwest::Client::new();
    assert_eq!(first_error(once().url_with(follows, url("moved"))).await, None);
    assert_eq!(first_error(briefly().url(url("hangs"))).await.as_deref(), Some("no answer in 50ms"));
}

#[tokio::test]
async fn a_server_that_drops_connections_has_no_health() {
    let (address, server) = dropping().await;
    let error = first_error(once().url(format!("http://{address}/"))).await.unwrap();
    assert!(error.contains("connection"), "{error}");
    assert!(first_error(once().grpc(format!("http://{address}"), "")).await.is_some());
    assert_eq!(first_error(once().tcp(address.to_string())).await, None, "it accepts connections");
    server.abort();
}

#[tokio::test]
async fn an_absent_server_is_refused() {
    let (listener, address) = bound().await;
    drop(listener);
    for check in [
        once().tcp(address.to_string()),
        once().url(format!("http://{address}/")),
        once().grpc(format!("http://{address}"), ""),
    ] {
        let error = first_error(check).await.unwrap();
        assert!(error.contains("onnection refused") || error.contains("nect"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_is_silent_times_out() {
    let (_listener, address) = bound().await;
    for check in
        [briefly().url(format!("http://{address}/")), briefly().grpc(format!("http://{address}"), "")]
    {
        assert_eq!(first_error(check).await.as_deref(), Some("no answer in 50ms"));
    }
}

#[tokio::test]
async fn a_grpc_server_answers_for_each_service() {
    let (listener, address) = bound().await;
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("payments", tonic_health::ServingStatus::Serving).await;
    reporter.set_service_status("mail", tonic_health::ServingStatus::NotServing).await;
    let server = tonic::transport::Server::builder().add_service(service);
    let server = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let uri = format!("http://{address}");
    assert_eq!(first_error(once().grpc(&uri, "")).await, None, "the server as a whole");
    assert_eq!(first_error(once().grpc(&uri, "payments")).await, None);
    assert_eq!(first_error(once().grpc(&uri, "mail")).await.as_deref(), Some("the service is NOT_SERVING"));
    assert_eq!(
        first_error(once().grpc(&uri, "search")).await.as_deref(),
        Some("NotFound: service not registered")
    );
    let channel = tonic::transport::Channel::from_shared(uri).unwrap().connect_lazy();
    assert_eq!(first_error(once().grpc_with(channel, "payments")).await, None);
    server.abort();
}

#[tokio::test]
async fn a_server_without_the_protocol_is_not_healthy() {
    let error = first_error(once().grpc(format!("http://{}", web().await), "")).await;
    assert!(error.is_some());
}
