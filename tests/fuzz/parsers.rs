//! Every parser of external bytes, and its invariants for any input.
//!
//! Shared by the fuzz targets and by the test that runs without a fuzzer.

#![allow(dead_code, reason = "each fuzz target uses one of these")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use halfopen::{CircuitBreaker, CircuitBreakerConfig};
use halfopen_config::{Document, Format, LiveRegistry, Loader};
use halfopen_http::{
    GrpcClassify, GrpcCode, WatchedCall, grpc_timeout as deadline, retry_after as hint, retry_hint,
};
use halfopen_lab::{Format as LogFormat, Options, Parser as LineParser};
use halfopen_tonic::adapter::{PerMethod, PerService};
use halfopen_tower::adapter::Key;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body::{Body, Frame};

pub(crate) type Parser = fn(&[u8]);

/// All of them, by the names of their corpora.
pub(crate) const ALL: [(&str, Parser); 14] = [
    ("retry_after", retry_after),
    ("grpc_pushback", grpc_pushback),
    ("grpc_retry_info", grpc_retry_info),
    ("grpc_details", grpc_details),
    ("grpc_timeout", grpc_timeout),
    ("grpc_status", grpc_status),
    ("grpc_path", grpc_path),
    ("grpc_web", grpc_web),
    ("duration", duration),
    ("config", config),
    ("document_yaml", document_yaml),
    ("document_toml", document_toml),
    ("document_json", document_json),
    ("lab_lines", lab_lines),
];

/// A time with dates on both sides: Sun, 06 Nov 1994 08:49:37 GMT.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// [`None`] if the bytes are no valid header value.
fn headers(name: &'static str, bytes: &[u8]) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(bytes).ok()?;
    Some(HeaderMap::from_iter([(HeaderName::from_static(name), value)]))
}

pub(crate) fn retry_after(bytes: &[u8]) {
    let Some(headers) = headers("retry-after", bytes) else { return };
    let (early, late) = (hint(&headers, now()), hint(&headers, now() + Duration::from_secs(1)));
    assert_eq!(early.is_some(), late.is_some(), "understood or not, whatever the time is");
    assert!(late <= early, "a hint does not grow with time");
    if let Some(seconds) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<u32>().ok()) {
        let signed = bytes.starts_with(b"+");
        assert_eq!(early, (!signed).then(|| Duration::from_secs(seconds.into())));
    }
}

pub(crate) fn grpc_pushback(bytes: &[u8]) {
    let Some(headers) = headers("grpc-retry-pushback-ms", bytes) else { return };
    let hint = hint(&headers, now());
    assert!(hint <= Some(Duration::from_millis(i32::MAX as u64)), "{hint:?}");
    let joined = bytes.contains(&b',');
    assert!(hint.is_none() || joined || !bytes.contains(&b'-'), "a negative pushback is no hint");
}

/// The bytes as the header's value, and as its decoded content.
pub(crate) fn grpc_retry_info(bytes: &[u8]) {
    let of = |text: &[u8]| headers("grpc-status-details-bin", text).and_then(|headers| hint(&headers, now()));
    of(bytes);
    let bare = base64(bytes);
    let padded = format!("{bare}{}", "=".repeat((4 - bare.len() % 4) % 4));
    assert_eq!(of(bare.as_bytes()), of(padded.as_bytes()), "padding is optional");
}

/// Details that a client has already decoded have the same meaning as the header that contained them.
pub(crate) fn grpc_details(bytes: &[u8]) {
    let header = headers("grpc-status-details-bin", base64(bytes).as_bytes());
    let in_header = header.and_then(|headers| hint(&headers, now()));
    let decoded = retry_hint(&HeaderMap::new(), bytes);
    assert_eq!(decoded, in_header);
    let pushback = headers("grpc-retry-pushback-ms", b"1500").expect("a header");
    let longest = decoded.max(Some(Duration::from_millis(1500)));
    assert_eq!(retry_hint(&pushback, bytes), longest, "of two hints the longer");
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0, |bits: u32, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

pub(crate) fn grpc_timeout(bytes: &[u8]) {
    let Some(headers) = headers("grpc-timeout", bytes) else { return };
    let Some(limit) = deadline(&headers) else { return };
    assert!(limit <= Duration::from_secs(99_999_999 * 3600));
    assert!((2..=9).contains(&bytes.len()) && bytes[0].is_ascii_digit());
}

pub(crate) fn grpc_status(bytes: &[u8]) {
    let code = GrpcCode::from_bytes(bytes);
    if let Some(headers) = headers("grpc-status", bytes) {
        assert_eq!(GrpcCode::from_headers(&headers), Some(code));
    }
    let written = (code as u8).to_string();
    assert!(written.as_bytes() == bytes || code == GrpcCode::Unknown);
}

/// The path of a request names a breaker; on a server, the peer chooses it.
pub(crate) fn grpc_path(bytes: &[u8]) {
    let Ok(request) = Request::get(bytes).body(()) else { return };
    let (method, service) = (PerMethod.key(&request), PerService.key(&request));
    assert!(request.uri().path().ends_with(&*method), "{method:?}");
    assert!(method.matches('/').count() <= 1, "{method:?}");
    assert_eq!(method.split('/').next(), Some(&*service));
}

/// The trailers in the body of a gRPC-web response, in both variants and with the body split at any position.
pub(crate) fn grpc_web(bytes: &[u8]) {
    for kind in ["application/grpc-web+proto", "application/grpc-web-text"] {
        let whole = ended(kind, &[bytes]);
        assert_eq!(whole, ended(kind, &bytes.chunks(1).collect::<Vec<_>>()), "{kind}");
        assert_eq!(whole, ended(kind, &bytes.chunks(7).collect::<Vec<_>>()), "{kind}");
    }
}

/// The recorded outcomes of a response whose body has these pieces: successes, failures, ignored.
fn ended(kind: &str, pieces: &[&[u8]]) -> (u64, u64, u64) {
    let breaker = CircuitBreaker::builder("fuzzed").build();
    let call = WatchedCall::new(breaker.try_acquire_owned().expect("it is closed"));
    let pieces = pieces.iter().map(|piece| piece.to_vec().into()).collect();
    let answer = http::Response::builder().header("content-type", kind).body(Pieces(pieces));
    let Ok(answer) = call.finish(&GrpcClassify::new(), Ok::<_, Infallible>(answer.expect("a response")));
    let mut body = answer.into_body();
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(_)) = Pin::new(&mut body).poll_frame(&mut context) {}
    drop(body);
    let totals = breaker.snapshot().totals;
    assert_eq!(totals.calls(), 1, "counted once");
    (totals.successes, totals.failures, totals.ignored)
}

struct Pieces(VecDeque<VecDeque<u8>>);

impl Body for Pieces {
    type Data = VecDeque<u8>;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<VecDeque<u8>>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// A duration, at its place in a document.
pub(crate) fn duration(bytes: &[u8]) {
    let document = serde_json::json!({ "open": { "duration": String::from_utf8_lossy(bytes) } });
    config(document.to_string().as_bytes());
}

/// A valid configuration is written as it was parsed, and makes a breaker that works.
pub(crate) fn config(bytes: &[u8]) {
    let config = match serde_json::from_slice::<CircuitBreakerConfig>(bytes) {
        Ok(config) => config,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let written = serde_json::to_string(&config).expect("every configuration can be written");
    let again = serde_json::from_str::<CircuitBreakerConfig>(&written);
    assert_eq!(again.as_ref().ok(), Some(&config), "{written}: {again:?}");
    let breaker = CircuitBreaker::builder("fuzzed").config(config).seed(1).build();
    if let Ok(permit) = breaker.try_acquire() {
        permit.failure_with_hint(Duration::MAX);
    }
    breaker.trip();
    breaker.set_config(again.expect("just compared"));
    assert!(!breaker.explain().is_empty());
}

pub(crate) fn document_yaml(bytes: &[u8]) {
    document(Format::Yaml, bytes);
}

pub(crate) fn document_toml(bytes: &[u8]) {
    document(Format::Toml, bytes);
}

pub(crate) fn document_json(bytes: &[u8]) {
    document(Format::Json, bytes);
}

/// A document is valid or rejected with an error; a valid one is written as it was parsed.
fn document(format: Format, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let loader = Loader::new().text("fuzzed", format, text.clone());
    match loader.load() {
        Err(error) => {
            assert!(error.problems().iter().any(|problem| problem.is_error()));
            assert!(error.to_string().contains("error: "));
        }
        Ok(configuration) => {
            let read = Document::parse("fuzzed", format, &text).expect("it has just been loaded");
            let written = serde_json::to_string(&read).expect("every document can be written");
            let again = Document::parse("again", Format::Json, &written);
            assert_eq!(again.map(|again| serde_json::to_string(&again).ok()), Ok(Some(written)));
            assert!(!configuration.explain("any").to_string().is_empty());
            assert!(LiveRegistry::new(loader).is_ok());
        }
    }
}

/// Lines of a log, in every format.
pub(crate) fn lab_lines(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(line) = text.lines().next() {
        // The lines of JSON are recognized by a bracket and a name, all others by their parser.
        LogFormat::detect(line, &Options::default());
    }
    for format in LogFormat::ALL {
        let mut parser = LineParser::new(format, Options::default());
        for line in text.lines() {
            let mut calls = 0;
            let parsed = parser.line(line, &mut |call| {
                calls += 1;
                let end = call.start.checked_add(call.took.unwrap_or(0));
                assert!(end.is_some(), "{format}: {call:?} ends in a time that can be written");
            });
            assert!(parsed.is_ok() || calls == 0, "{format}: a broken line is no call");
        }
    }
}
