use halfopen::Outcome;
use http::StatusCode;

use super::*;
use crate::call::LoggedEnd;

const MS: u64 = 1_000_000;
/// 2000-10-10T20:55:36Z.
const MOMENT: u64 = 971_211_336_000 * MS;

/// Start and duration in milliseconds relative to the moment, end, upstream, service, route.
type Seen = (i64, Option<u64>, LoggedEnd, String, String, String);

fn seen(call: &LoggedCall<'_>) -> Seen {
    let part = |part: &Option<std::borrow::Cow<'_, str>>| part.as_deref().unwrap_or_default().to_owned();
    let start = (call.start as i64 - MOMENT as i64) / MS as i64;
    (
        start,
        call.took.map(|took| took / MS),
        call.end,
        part(&call.upstream),
        part(&call.service),
        part(&call.route),
    )
}

fn parse_as(format: Format, options: &Options, lines: &[&str]) -> Result<Vec<Seen>, LineError> {
    let mut parser = Parser::new(format, options.clone());
    let mut calls = Vec::new();
    for line in lines {
        parser.line(line, &mut |call| calls.push(seen(&call)))?;
    }
    Ok(calls)
}

/// Parses lines whose format is detected by the first.
fn parse(lines: &[&str]) -> (Format, Vec<Seen>) {
    let format = Format::detect(lines[0], &Options::default()).expect("a known form");
    (format, parse_as(format, &Options::default(), lines).expect("valid lines"))
}

fn http(status: u16) -> LoggedEnd {
    LoggedEnd::Http(StatusCode::from_u16(status).expect("a status"))
}

fn call(start: i64, took: Option<u64>, end: LoggedEnd, parts: [&str; 3]) -> Seen {
    let [upstream, service, route] = parts.map(str::to_owned);
    (start, took, end, upstream, service, route)
}

#[test]
fn nginx_combined_has_no_durations() {
    let line = r#"1.2.3.4 - frank o [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 502 2326 "-" "Mozilla \"x\" [y]""#;
    assert_eq!(parse(&[line]), (Format::Nginx, vec![call(0, None, http(502), ["", "", "/a?b=1"])]));
}

#[test]
fn nginx_fields_after_the_combined_are_used() {
    let line = r#"::1 - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 499 0 "-" "x y" rt=1.500 urt="1.2, 0.1" upstream=10.0.0.1:80"#;
    let wanted = call(-1500, Some(1500), LoggedEnd::Abandoned, ["10.0.0.1:80", "", "/"]);
    assert_eq!(parse(&[line]).1, [wanted]);
    let line = r#"::1 - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 200 0 "-" "x" 0.250"#;
    assert_eq!(parse(&[line]).1, [call(-250, Some(250), http(200), ["", "", "/"])]);
}

#[test]
fn envoy_lines_state_the_start() {
    let line = r#"[2000-10-10T20:55:36.500Z] "GET /items HTTP/2" 503 UF 0 91 250 - "-" "curl" "id" "shop.example" "10.1.2.3:80""#;
    let wanted = call(500, Some(250), http(503), ["10.1.2.3:80", "shop.example", "/items"]);
    assert_eq!(parse(&[line]), (Format::Envoy, vec![wanted]));
}

#[test]
fn envoy_lines_of_istio_have_more_words() {
    let line = r#"[2000-10-10T20:55:36Z] "GET /items HTTP/1.1" 200 - via_upstream - "-" 0 2 5 4 "-" "curl" "id" "shop" "10.1.2.3:80" outbound|80||shop"#;
    assert_eq!(parse(&[line]).1, [call(0, Some(5), http(200), ["10.1.2.3:80", "shop", "/items"])]);
}

#[test]
fn calls_that_never_reached_the_service_are_ignored() {
    let line = |flags| {
        format!(r#"[2000-10-10T20:55:36Z] "GET / HTTP/2" 503 {flags} 0 91 0 - "-" "curl" "id" "s" "-""#)
    };
    let end = |flags| parse(&[&line(flags)]).1[0].2;
    assert_eq!(end("UO"), LoggedEnd::Outcome(Outcome::Ignored));
    assert_eq!(end("RL"), LoggedEnd::Outcome(Outcome::Ignored));
    assert_eq!(end("UH,DC"), LoggedEnd::Abandoned);
    assert_eq!(end("UH"), http(503));
}

#[test]
fn durations_of_envoy_json_are_milliseconds() {
    let line = r#"{"start_time":"2000-10-10T20:55:36Z","response_code":504,"duration":1200,"upstream_cluster":"shop","response_flags":"UT","x":{"time":[1]}}"#;
    assert_eq!(parse(&[line]), (Format::EnvoyJson, vec![call(0, Some(1200), http(504), ["shop", "", ""])]));
}

#[test]
fn json_lines_of_nginx_state_seconds() {
    let line = r#"{"msec":"971211336.500","status":"200","request_time":"0.500","host":"shop","uri":"/"}"#;
    assert_eq!(parse(&[line]), (Format::Json, vec![call(0, Some(500), http(200), ["", "shop", "/"])]));
}

#[test]
fn json_lines_take_units_from_names_and_values() {
    let line = |took: &str| format!(r#"{{"start":971211336,"outcome":"timeout",{took}}}"#);
    for took in [r#""latency_ms":80"#, r#""took":"80ms""#, r#""elapsed_us":80000.0"#, r#""duration":0.08"#] {
        let wanted = call(0, Some(80), LoggedEnd::Outcome(Outcome::Failure), ["", "", ""]);
        assert_eq!(parse(&[&line(took)]).1, [wanted], "{took}");
    }
}

#[test]
fn named_columns_may_be_in_any_order() {
    let lines = ["service,status,start,duration_ms,note", r#"shop,200,2000-10-10T20:55:36Z,5,"a,b""#];
    assert_eq!(parse(&lines), (Format::Csv, vec![call(0, Some(5), http(200), ["", "shop", ""])]));
}

#[test]
fn names_can_be_given() {
    let names =
        [("when", Field::Start), ("t", Field::Duration)].map(|(name, field)| (name.to_owned(), field));
    let options = Options { names: names.into(), unit: Unit::Milliseconds, ..Options::default() };
    let calls = parse_as(Format::Csv, &options, &["when;status;t;duration", "971211336;200;7;9"]);
    assert_eq!(calls, Ok(vec![call(0, Some(7), http(200), ["", "", ""])]));
}

#[test]
fn spans_of_clients_are_calls() {
    let span = |kind: u8, attribute: &str| {
        format!(
            r#"{{"name":"GET","kind":{kind},"startTimeUnixNano":"971211336000000000","endTimeUnixNano":971211336080000000,"attributes":[{attribute}],"status":{{"code":2}}}}"#
        )
    };
    let status = r#"{"key":"http.response.status_code","value":{"intValue":"503"}},{"key":"server.address","value":{"stringValue":"shop"}}"#;
    let spans = [span(3, status), span(2, ""), span(3, "")].join(",");
    let line = format!(r#"{{"resourceSpans":[{{"resource":{{}},"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    let failure = LoggedEnd::Outcome(Outcome::Failure);
    let wanted =
        [call(0, Some(80), http(503), ["shop", "shop", "GET"]), call(0, Some(80), failure, ["", "", "GET"])];
    assert_eq!(parse(&[&line]), (Format::Otlp, wanted.into()));
    let skipped = Parser::new(Format::Otlp, Options::default()).line(&line, &mut |_| {});
    assert_eq!(skipped, Ok(Skipped { spans: 1 }));
}

#[test]
fn an_error_names_field_value_and_form() {
    let error = |format, line: &str| {
        parse_as(format, &Options::default(), &[line]).expect_err("a broken line").to_string()
    };
    let nginx = r#"1.1.1.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 9x9 1 "-" "-""#;
    assert_eq!(error(Format::Nginx, nginx), "status is \"9x9\", must be an HTTP status, 100 to 599");
    assert_eq!(error(Format::Json, r#"{"status":200}"#), "time is missing");
    assert!(error(Format::Json, r#"{"time":"x\ny","status":200}"#).starts_with(r#"time is "x\ny", must be"#));
    assert!(error(Format::Json, r#"{"time":1"#).starts_with("line EOF while parsing"));
    assert_eq!(error(Format::Csv, "a,b"), "line names no column with a time");
}

#[test]
fn json_values_are_read_as_they_are_written() {
    let line = r#"{"time_local":"10\/Oct\/2000:20:55:36 +0000","status":"502","uri":"\/a\u0062","request_time":0.250,"n":1e999,"o":[{"status":1}]}"#;
    assert_eq!(parse(&[line]), (Format::Json, vec![call(-250, Some(250), http(502), ["", "", "/ab"])]));
    let invalid = |value: &str| {
        let line = format!("{{\"start\":1,\"status\":200,\"duration\":{value}}}");
        parse_as(Format::Json, &Options::default(), &[&line]).map_err(|error| error.field().to_owned())
    };
    for value in ["-1", "1e999", "86401", "\"NaN\"", "\"inf\"", "true"] {
        assert_eq!(invalid(value), Err("duration".to_owned()), "{value}");
    }
    assert!(invalid("1e-3").is_ok() && invalid("0").is_ok() && invalid("null").is_ok());
}

#[test]
fn attributes_of_spans_may_have_any_value() {
    let line = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":3,"startTimeUnixNano":971211336000000000,"endTimeUnixNano":"971211336250000000","events":[{"name":"e"}],"attributes":[{"key":"a","value":{"intValue":-1}},{"key":"b","value":{"arrayValue":{"values":[]}}},{"key":"http.response.status_code","value":{"intValue":"503"}}]}]}]}]}"#;
    assert_eq!(parse(&[line]), (Format::Otlp, vec![call(0, Some(250), http(503), ["", "", ""])]));
    let negative = line.replace("971211336000000000", "-1");
    let error = parse_as(Format::Otlp, &Options::default(), &[&negative]).expect_err("no time");
    assert_eq!(error.field(), "startTimeUnixNano");
}
