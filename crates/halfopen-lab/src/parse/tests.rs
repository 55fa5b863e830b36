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
    let wanted = call(-1500, Some(1300), LoggedEnd::Abandoned, ["10.0.0.1:80", "", "/"]);
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
    let cut = "line ends within a JSON value, which must be on one line";
    assert_eq!(
        (error(Format::Json, r#"{"time":1"#), error(Format::Otlp, "{")),
        (cut.to_owned(), cut.to_owned())
    );
    let colon = r#"{"time" 1}"#;
    assert_eq!(error(Format::Json, colon), "line is not as expected at column 9: expected `:`");
    assert!(error(Format::Otlp, "{}").starts_with("line is not as expected at column 2: missing field"));
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

/// A line of nginx in JSON, at the moment plus a second, after a request of a second.
fn retried(addresses: &str, statuses: &str, times: &str, status: u16) -> Vec<Seen> {
    let line = format!(
        r#"{{"msec":971211337,"status":{status},"request_time":1.000,"upstream_addr":"{addresses}","upstream_status":"{statuses}","upstream_response_time":"{times}"}}"#
    );
    parse(&[&line]).1
}

#[test]
fn each_attempt_of_a_proxy_is_a_call() {
    let seen = retried("[::1]:80, 10.0.0.2:80 : unix:/b", "502, 504 : 200", "0.100, 0.200 : 0.300", 200);
    let wanted = [
        call(0, Some(100), http(502), ["[::1]:80", "", ""]),
        call(100, Some(200), http(504), ["10.0.0.2:80", "", ""]),
        call(300, Some(300), http(200), ["unix:/b", "", ""]),
    ];
    assert_eq!(seen, wanted);
}

#[test]
fn attempts_without_a_status_of_each_are_the_last_one() {
    for statuses in ["-", "", "200"] {
        let seen = retried("a:80, b:80", statuses, "0.100, 0.200", 200);
        assert_eq!(seen, [call(0, Some(300), http(200), ["b:80", "", ""])], "{statuses:?}");
    }
    let seen = retried("a:80, b:80", "502, 200", "0.100", 200);
    assert_eq!(seen[0].1, None, "the durations are not those of each");
}

#[test]
fn an_upstream_ends_a_call_before_its_caller_does() {
    assert_eq!(retried("a:80", "200", "0.250", 200), [call(0, Some(250), http(200), ["a:80", "", ""])]);
    assert_eq!(retried("a:80", "502", "0.250", 200)[0].2, http(502), "a page of the proxy is no answer");
    assert_eq!(retried("a:80", "200", "0.250", 499)[0].2, LoggedEnd::Abandoned);
    assert_eq!(retried("-", "-", "-", 404), [call(0, Some(1000), http(404), ["", "", ""])]);
}

#[test]
fn durations_of_several_attempts_are_added() {
    let took = |text: &str| {
        let line = format!(r#"{{"start":971211336,"status":200,"upstream_response_time":"{text}"}}"#);
        parse_as(Format::Json, &Options::default(), &[&line]).map(|calls| calls[0].1)
    };
    assert_eq!(took("0.001, 0.002 : 0.003"), Ok(Some(6)));
    assert_eq!(took("-, 0.002"), Ok(Some(2)));
    assert_eq!((took("-"), took("-, -"), took("- : -")), (Ok(None), Ok(None), Ok(None)));
    for invalid in ["0.5, -0.2", "NaN, 1", "1, inf", "86400, 1", "1,2", "1, "] {
        assert_eq!(took(invalid).expect_err("no duration").field(), "duration", "{invalid}");
    }
}

#[test]
fn flags_of_envoy_decide_who_is_to_blame() {
    let end = |status: u16, flags: &str| {
        let line = format!(
            r#"[2000-10-10T20:55:36Z] "GET / HTTP/2" {status} {flags} 0 91 0 - "-" "curl" "id" "s" "[::1]:80""#
        );
        parse(&[&line]).1[0].2
    };
    for (status, flags) in [(503, "UF"), (503, "UF,URX"), (504, "UT"), (503, "UC"), (503, "UH"), (200, "-")] {
        assert_eq!(end(status, flags), http(status), "{flags}: the status is the service's");
    }
    for flags in ["UF", "UF,URX", "UH", "UC", "DF"] {
        assert_eq!(end(0, flags), LoggedEnd::Outcome(Outcome::Failure), "{flags} of a connection");
    }
    for (status, flags) in [(0, "DC"), (200, "DC"), (503, "DR"), (0, "-")] {
        assert_eq!(end(status, flags), LoggedEnd::Abandoned, "{status} {flags}: the caller went away");
    }
    for flags in ["UO", "RL", "NR", "NC", "FI", "OM", "DPE", "UAEX", "LH", "UF,UO"] {
        assert_eq!(end(503, flags), LoggedEnd::Outcome(Outcome::Ignored), "{flags}: the proxy's answer");
    }
}

#[test]
fn quotes_in_requests_are_escaped() {
    let line = r#"2001:db8::1 - - [10/Oct/2000:20:55:36 +0000] "GET /a\x22b]\x5C HTTP/1.1" 200 1 "-" "a \x22b\x22" rt=0.250 uaddr="[2001:db8::2]:80""#;
    assert_eq!(
        parse(&[line]).1,
        [call(-250, Some(250), http(200), ["[2001:db8::2]:80", "", r"/a\x22b]\x5C"])]
    );
}

#[test]
fn a_request_that_is_no_http_is_a_call_without_a_route() {
    let line = |request: &str| format!(r#"::1 - - [10/Oct/2000:20:55:36 +0000] "{request}" 400 0 "-" "-""#);
    for request in ["", "-", r"\x16\x03\x01"] {
        assert_eq!(parse(&[&line(request)]).1, [call(0, None, http(400), ["", "", ""])], "{request:?}");
    }
}

#[test]
fn a_call_without_an_answer_is_abandoned() {
    let end = |status: &str| {
        let line = format!(r#"{{"start":1,"status":{status}}}"#);
        parse_as(Format::Json, &Options::default(), &[&line])
            .map(|calls| calls[0].2)
            .map_err(|it| it.to_string())
    };
    for status in ["0", "499", "\"000\""] {
        assert_eq!(end(status), Ok(LoggedEnd::Abandoned), "{status}");
    }
    assert_eq!(end("\"-\""), Err("status is missing".to_owned()));
    for status in ["99", "600", "-1", "200.0", "\"200 OK\""] {
        assert!(end(status).is_err(), "{status}");
    }
}

#[test]
fn times_of_any_age_are_read() {
    let start = |time: &str| {
        let line = format!("{{\"time\":\"{time}\",\"status\":200,\"duration\":5}}");
        let mut parser = Parser::new(Format::Json, Options::default());
        let mut start = None;
        parser.line(&line, &mut |call| start = Some(call.start)).ok().and(start)
    };
    assert_eq!(start("0"), Some(0), "no call starts before 1970");
    assert_eq!(start("31/Dec/2016:23:59:60 +0000"), start("2017-01-01T00:00:00Z"), "a leap second");
    assert_eq!(start("27/Oct/2024:02:30:00 +0200"), start("2024-10-27T00:30:00Z"), "summer time");
    assert_eq!(start("27/Oct/2024:02:30:00 +0100"), start("2024-10-27T01:30:00Z"), "winter time");
    assert!(start("2200-12-31T23:59:59Z").is_some());
    assert_eq!((start("2201-01-01T00:00:00Z"), start("1969-12-31T23:59:59Z")), (None, None));
}

/// A span of a client with these fields beside its times, in the spelling of JSON.
fn ends_of_span(fields: &str) -> LoggedEnd {
    let line = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"kind":"SPAN_KIND_CLIENT","startTimeUnixNano":"1","endTimeUnixNano":2,{fields}}}]}}]}}]}}"#
    );
    parse(&[&line]).1[0].2
}

#[test]
fn a_span_fails_by_its_answer_or_its_error() {
    let failure = LoggedEnd::Outcome(Outcome::Failure);
    let of = |status: &str, code: &str| {
        let attribute = format!(r#"{{"key":"{code}","value":{{"intValue":200}}}}"#);
        ends_of_span(&format!(r#""status":{status},"attributes":[{attribute}]"#))
    };
    assert_eq!(of("{}", "http.response.status_code"), http(200));
    assert_eq!(of(r#"{"code":1}"#, "http.status_code"), http(200));
    for error in [r#"{"code":2}"#, r#"{"code":"STATUS_CODE_ERROR","message":"reset"}"#] {
        assert_eq!(of(error, "http.response.status_code"), failure, "an answer that broke off");
        assert_eq!(of(error, "other"), failure);
    }
    assert_eq!(of(r#"{"code":0}"#, "other"), LoggedEnd::Outcome(Outcome::Success));
    let status = |number: &str, of: &str| {
        let attribute = format!(r#"{{"key":"{of}","value":{{"intValue":{number}}}}}"#);
        ends_of_span(&format!(r#""status":{{"code":2}},"attributes":[{attribute}]"#))
    };
    for number in ["404", "\"404\""] {
        assert_eq!(
            status(number, "http.response.status_code"),
            http(404),
            "the status says more than the error"
        );
        assert_eq!(
            status("14", "rpc.grpc.status_code"),
            LoggedEnd::Grpc(halfopen_http::GrpcCode::Unavailable)
        );
    }
    assert_eq!(status("0", "rpc.grpc.status_code"), failure);
}

#[test]
fn codes_of_grpc_are_numbers_or_names() {
    use halfopen_http::GrpcCode;
    let line = |code: &str| {
        let line = format!(r#"{{"start":1,"grpc_status":{code}}}"#);
        parse_as(Format::Json, &Options::default(), &[&line]).map(|calls| calls[0].2)
    };
    let span = |attribute: &str, code: &str| {
        ends_of_span(&format!(
            r#""status":{{"code":2}},"attributes":[{{"key":"{attribute}","value":{{"stringValue":"{code}"}}}}]"#
        ))
    };
    // The names of the specification, from those of the code: `DeadlineExceeded` is `DEADLINE_EXCEEDED`.
    for (number, code) in GrpcCode::ALL.into_iter().enumerate() {
        let camel = format!("{code:?}");
        let parted = |c: char| if c.is_uppercase() { format!("_{c}") } else { c.to_string() };
        let snake = camel.chars().map(parted).collect::<String>()[1..].to_uppercase();
        for text in
            [number.to_string(), format!("\"{number}\""), format!("\"{camel}\""), format!("\"{snake}\"")]
        {
            assert_eq!(line(&text), Ok(LoggedEnd::Grpc(code)), "{text}");
        }
        if code != GrpcCode::Ok {
            assert_eq!(span("rpc.response.status_code", &snake), LoggedEnd::Grpc(code));
            assert_eq!(span("rpc.status_code", &snake.to_lowercase()), LoggedEnd::Grpc(code));
        }
    }
    assert_eq!(line("\"Canceled\""), Ok(LoggedEnd::Grpc(GrpcCode::Cancelled)), "as Envoy writes it");
    let failure = LoggedEnd::Outcome(Outcome::Failure);
    assert_eq!(span("rpc.response.status_code", "-32602"), failure, "of another protocol: its error");
    for invalid in ["17", "-1", "\"O K\"", "\"\\u212a\""] {
        assert_eq!(line(invalid).expect_err("no code").field(), "grpc_status", "{invalid}");
    }
}

#[test]
fn keys_of_spans_may_be_in_snake_case() {
    let camel = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"GET","kind":3,"startTimeUnixNano":"971211336000000000","endTimeUnixNano":"971211336080000000","attributes":[{"key":"http.response.status_code","value":{"intValue":"503"}},{"key":"server.address","value":{"stringValue":"shop"}}]}]}]}]}"#;
    let snake =
        ["resourceSpans", "scopeSpans", "startTimeUnixNano", "endTimeUnixNano", "intValue", "stringValue"]
            .into_iter()
            .fold(camel.to_owned(), |line, name| {
                let capital =
                    |c: char| if c.is_uppercase() { format!("_{}", c.to_lowercase()) } else { c.to_string() };
                line.replace(name, &name.chars().map(capital).collect::<String>())
            });
    assert!(snake.contains("\"start_time_unix_nano\""), "{snake}");
    assert_eq!(parse(&[&snake]), parse(&[camel]));
    assert_eq!(parse(&[camel]).1, [call(0, Some(80), http(503), ["shop", "shop", "GET"])]);
}
