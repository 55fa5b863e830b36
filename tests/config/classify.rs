//! The classification of statuses and codes that a document configures.

use halfopen::Outcome;
use halfopen_config::{Format, Loader};
use halfopen_http::GrpcCode;
use http::StatusCode;

fn outcomes(classify: &str) -> (Outcome, Outcome) {
    let text = format!("breakers: {{ api: {{ classify: {classify} }} }}");
    let configuration = Loader::new().text("t.yaml", Format::Yaml, &text).load();
    let configuration = configuration.unwrap_or_else(|error| panic!("{error}"));
    let settings = configuration.settings("api");
    let (http, grpc) = (settings.http(), settings.grpc());
    (http.outcome(StatusCode::TOO_MANY_REQUESTS), grpc.outcome(GrpcCode::ResourceExhausted))
}

#[test]
fn a_throttle_that_a_document_fails_keeps_its_kind() {
    for classify in [
        "{}",
        "{ http: { failures: [429, 5xx] }, grpc: { failures: [RESOURCE_EXHAUSTED] } }",
        "{ http: { failures: [4xx] }, grpc: { failures: [UNAVAILABLE, RESOURCE_EXHAUSTED] } }",
    ] {
        assert_eq!(outcomes(classify), (Outcome::Throttled, Outcome::Throttled), "{classify}");
    }
    let ignored = "{ http: { ignored: [429] }, grpc: { ignored: [RESOURCE_EXHAUSTED] } }";
    assert_eq!(outcomes(ignored), (Outcome::Ignored, Outcome::Ignored));
    let unnamed = "{ http: { failures: [5xx] }, grpc: { failures: [UNAVAILABLE] } }";
    assert_eq!(outcomes(unnamed), (Outcome::Success, Outcome::Success));
}
