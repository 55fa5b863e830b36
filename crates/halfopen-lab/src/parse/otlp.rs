//! Spans in the JSON form of OTLP: a line is an export request, as the file exporters write it.

use std::borrow::Cow;

use halfopen::Outcome;
use halfopen_http::GrpcCode;
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::LineError;
use super::fields::grpc_code;
use crate::call::{LoggedCall, LoggedEnd, Nanos};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, alias = "resource_spans")]
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(default, borrow, alias = "scope_spans")]
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(default, borrow)]
    spans: Vec<Span<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    #[serde(default, borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    kind: Kind,
    #[serde(borrow, alias = "start_time_unix_nano")]
    start_time_unix_nano: Number<'a>,
    #[serde(borrow, alias = "end_time_unix_nano")]
    end_time_unix_nano: Number<'a>,
    #[serde(default, borrow)]
    attributes: Vec<Attribute<'a>>,
    #[serde(default)]
    status: Status,
}

/// A number, which the mapping of protocol buffers to JSON writes as a text if it has 64 bits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number<'a> {
    Whole(u64),
    Text(#[serde(borrow)] Cow<'a, str>),
    /// Negative, a fraction, or no number: attributes may have any.
    Other(IgnoredAny),
}

/// A value of an enumeration, which is a number in OTLP, and a name by other writers.
#[derive(Default, Deserialize, PartialEq)]
#[serde(untagged)]
enum Kind {
    Number(u32),
    Name(String),
    #[default]
    Absent,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: Kind,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(default, borrow)]
    value: Value<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    #[serde(borrow, alias = "string_value")]
    string_value: Option<Cow<'a, str>>,
    #[serde(borrow, alias = "int_value")]
    int_value: Option<Number<'a>>,
}

/// Calls the function with each client's span of the line. Returns the number of other spans, which are no calls.
pub(crate) fn line(line: &str, each: &mut dyn FnMut(LoggedCall<'_>)) -> Result<u64, LineError> {
    let request: Request<'_> = serde_json::from_str(line).map_err(|error| LineError::json(&error))?;
    let spans = || request.resource_spans.iter().flat_map(|it| &it.scope_spans).flat_map(|it| &it.spans);
    let mut others = 0;
    // All are checked before the first is used, so that a broken line is no call and not some of its calls.
    let calls: Vec<_> = spans().filter(|span| is_client(&span.kind)).map(call).collect::<Result<_, _>>()?;
    others += (spans().count() - calls.len()) as u64;
    calls.into_iter().for_each(each);
    Ok(others)
}

fn is_client(kind: &Kind) -> bool {
    match kind {
        Kind::Number(kind) => *kind == 3,
        Kind::Name(name) => name == "SPAN_KIND_CLIENT",
        Kind::Absent => false,
    }
}

fn is_error(status: &Status) -> bool {
    match &status.code {
        Kind::Number(code) => *code == 2,
        Kind::Name(name) => name == "STATUS_CODE_ERROR",
        Kind::Absent => false,
    }
}

fn call<'a>(span: &'a Span<'_>) -> Result<LoggedCall<'a>, LineError> {
    let start = nanos("startTimeUnixNano", &span.start_time_unix_nano)?;
    let end = nanos("endTimeUnixNano", &span.end_time_unix_nano)?;
    let took = end.checked_sub(start).ok_or_else(|| {
        LineError::invalid("endTimeUnixNano", &end.to_string(), "no earlier than startTimeUnixNano")
    })?;
    let text = |names: &[&str]| {
        let attribute = |name: &&str| span.attributes.iter().find(|it| it.key == **name);
        names.iter().find_map(attribute)?.value.string_value.as_deref().map(Cow::Borrowed)
    };
    let number = |names: &[&str]| {
        let attribute = |name: &&str| span.attributes.iter().find(|it| it.key == **name);
        match names.iter().find_map(attribute)?.value.int_value.as_ref()? {
            Number::Whole(number) => u16::try_from(*number).ok(),
            Number::Text(text) => text.parse().ok(),
            Number::Other(IgnoredAny) => None,
        }
    };
    let code = match number(&["rpc.grpc.status_code"]) {
        Some(code) => GrpcCode::ALL.get(usize::from(code)).copied(),
        // The names that it has in later conventions, in which it is a text.
        None => text(&["rpc.response.status_code", "rpc.status_code"]).and_then(|code| grpc_code(&code)),
    };
    let status = number(&["http.response.status_code", "http.status_code"])
        .and_then(|status| StatusCode::from_u16(status).ok());
    let end = match (code, status, is_error(&span.status)) {
        // An answer that broke off has the status of its head, and an error.
        (Some(GrpcCode::Ok), _, true) => LoggedEnd::Outcome(Outcome::Failure),
        (None, Some(status), true) if status.as_u16() < 400 => LoggedEnd::Outcome(Outcome::Failure),
        (Some(code), _, _) => LoggedEnd::Grpc(code),
        (None, Some(status), _) => LoggedEnd::Http(status),
        (None, None, true) => LoggedEnd::Outcome(Outcome::Failure),
        (None, None, false) => LoggedEnd::Outcome(Outcome::Success),
    };
    Ok(LoggedCall {
        start,
        took: Some(took),
        end,
        has_zone: true,
        upstream: text(&["server.address", "net.peer.name", "peer.service", "db.system", "rpc.service"]),
        service: text(&["peer.service", "rpc.service", "server.address", "net.peer.name"]),
        route: text(&["url.template", "http.route"]).or(Some(Cow::Borrowed(&span.name))),
    })
}

fn nanos(field: &'static str, number: &Number<'_>) -> Result<Nanos, LineError> {
    // Nanoseconds of the year 2200; the sum with a duration does not overflow.
    const LATEST: Nanos = 7_258_118_400_000_000_000;
    let found = match number {
        Number::Whole(number) => Ok(*number),
        Number::Text(text) => text.parse::<u64>().map_err(|_| text.to_string()),
        Number::Other(IgnoredAny) => Err("no whole number".to_owned()),
    };
    match found {
        Ok(number) if number <= LATEST => Ok(number),
        Ok(number) => Err(LineError::invalid(field, &number.to_string(), "a time before 2200")),
        Err(text) => Err(LineError::invalid(field, &text, "nanoseconds since 1970")),
    }
}
