//! Documents with the keys of other libraries: each is rejected with a suggestion, which then loads.

use std::time::Duration;

use halfopen::Trip;
use halfopen_config::{Configuration, Format, Loader, Problem, lint};

fn load(keys: &str) -> Configuration {
    let text = format!("breakers: {{ x: {{ {keys} }} }}");
    Loader::new().text("t.yaml", Format::Yaml, text).load().unwrap_or_else(|error| panic!("{keys}: {error}"))
}

fn problems(keys: &str) -> Vec<Problem> {
    lint("t.yaml", Format::Yaml, &format!("breakers: {{ x: {{ {keys} }} }}"))
}

fn advice(keys: &str) -> String {
    let problems = problems(keys);
    let [problem] = &problems[..] else { panic!("{keys}: {problems:?}") };
    assert!(problem.is_error(), "{problem}");
    problem.advice().unwrap_or_else(|| panic!("{problem}")).to_owned()
}

/// The text between the first backquotes after `write`.
fn written(advice: &str) -> &str {
    let (_, rest) = advice.split_once("write `").unwrap_or_else(|| panic!("{advice}"));
    rest.split('`').next().unwrap_or_default()
}

#[test]
fn a_foreign_key_is_answered_with_the_key_to_write() {
    for (keys, library, same) in [
        ("slidingWindowSize: 50", "resilience4j", "window: { last_calls: 50 }"),
        ("sliding-window-size: 50", "resilience4j", "window: { last_calls: 50 }"),
        ("failureRateThreshold: 50", "resilience4j", "trip: { failure_rate: { threshold: 0.5 } }"),
        ("minimumNumberOfCalls: 10", "resilience4j", "trip: { minimum_calls: 10 }"),
        ("waitDurationInOpenState: 60000", "resilience4j", "open: { duration: 1m }"),
        ("wait-duration-in-open-state: PT1M", "resilience4j", "open: { duration: 1m }"),
        (
            "slowCallDurationThreshold: 2s",
            "resilience4j",
            "trip: { slow_call_rate: { threshold: 1.0, slow_after: 2s } }",
        ),
        (
            "permittedNumberOfCallsInHalfOpenState: 5",
            "resilience4j",
            "half_open: { max_calls: 5, failure_rate: 0.5 }",
        ),
        ("FailureRatio: 0.1", "Polly", "trip: { failure_rate: { threshold: 0.1 } }"),
        ("MinimumThroughput: 100", "Polly", "trip: { minimum_calls: 100 }"),
        ("BreakDuration: '00:00:05'", "Polly", "open: { duration: 5s }"),
        ("SamplingDuration: '00:00:30'", "Polly", "window: { last: { duration: 30s } }"),
        ("failureThreshold: 3", "failsafe-go", "trip: { consecutive_failures: 3 }"),
        ("delay: 5s", "failsafe-go", "open: { duration: 5s }"),
        ("MaxRequests: 3", "gobreaker", "half_open: { max_calls: 3, success_threshold: 3 }"),
        ("Timeout: 60000000000", "gobreaker", "open: { duration: 1m }"),
        ("Interval: 60s", "gobreaker", "window: { tumbling: 1m }"),
        ("'circuitBreaker.requestVolumeThreshold': 20", "Hystrix", "trip: { minimum_calls: 20 }"),
        ("circuitBreaker: { sleepWindowInMilliseconds: 5000 }", "Hystrix", "open: { duration: 5s }"),
        (
            "circuitBreaker: { errorThresholdPercentage: 33.3 }",
            "Hystrix",
            "trip: { failure_rate: { threshold: 0.333 } }",
        ),
        (
            "metrics: { rollingStats: { timeInMilliseconds: 10000 } }",
            "Hystrix",
            "window: { last: { duration: 10s } }",
        ),
        ("resetTimeout: 30000", "opossum", "open: { duration: 30s }"),
        ("error_rate: 0.5", "recloser", "trip: { failure_rate: { threshold: 0.5 } }"),
        ("closed_len: 100", "recloser", "window: { last_calls: 100 }"),
        ("open_wait: 30s", "recloser", "open: { duration: 30s }"),
        ("wait_duration_in_open: 30s", "tower-resilience", "open: { duration: 30s }"),
        ("permitted_calls_in_half_open: 3", "tower-resilience", "half_open: { max_calls: 3 }"),
        ("consecutive_5xx: 5", "Envoy", "trip: { consecutive_failures: 5 }"),
        ("outlier_detection: { base_ejection_time: 30s }", "Envoy", "open: { duration: 30s }"),
    ] {
        let advice = advice(keys);
        assert!(advice.starts_with(&format!("a key of {library}: ")), "{keys}: {advice}");
        assert_eq!(
            load(written(&advice)).settings("x").config(),
            load(same).settings("x").config(),
            "{advice}"
        );
    }
}

#[test]
fn a_unit_that_differs_is_named() {
    assert!(advice("waitDurationInOpenState: 60000").ends_with("(60000 there is in milliseconds)"));
    assert!(advice("failureRateThreshold: 50").ends_with("(50 is a percentage there)"));
    assert!(advice("Timeout: 60000000000").ends_with("(60000000000 there is in nanoseconds)"));
}

#[test]
fn what_has_no_key_is_explained() {
    for (keys, part) in [
        ("ReadyToTrip: x", "trip: { consecutive_failures: 6 }"),
        ("recordExceptions: [java.io.IOException]", "classifier"),
        ("automaticTransitionFromOpenToHalfOpenEnabled: true", "leave it out"),
        ("slidingWindowType: TIME_BASED", "window: { last: { duration: 100s } }"),
    ] {
        let advice = advice(keys);
        assert!(advice.contains(part), "{advice}");
    }
}

#[test]
fn a_foreign_group_is_translated_key_by_key() {
    let advice = advice("circuitBreaker: { requestVolumeThreshold: 20, sleepWindowInMilliseconds: 5000 }");
    assert_eq!(
        advice,
        "`requestVolumeThreshold`: a key of Hystrix: write `trip: { minimum_calls: 20 }`; \
         `sleepWindowInMilliseconds`: a key of Hystrix: write `open: { duration: 5s }` (5000 there is in milliseconds)"
    );
}

#[test]
fn a_foreign_document_is_answered_at_its_root() {
    let text = "
resilience4j:
  circuitbreaker:
    instances:
      payments: { slidingWindowSize: 50, waitDurationInOpenState: 10s }
";
    let problems = lint("application.yaml", Format::Yaml, text);
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    let advice = problem.advice().expect("an advice");
    assert!(
        advice.contains("write `open: { duration: 10s }`") && advice.contains("last_calls: 50"),
        "{advice}"
    );
    assert!(advice.ends_with("in `breakers.NAME` or in `defaults`"), "{advice}");
}

#[test]
fn a_foreign_key_within_a_group_is_answered_too() {
    assert_eq!(
        written(&advice("trip: { errorThresholdPercentage: 50 }")),
        "trip: { failure_rate: { threshold: 0.5 } }"
    );
    assert_eq!(written(&advice("open: { breakDuration: 5 }")), "open: { duration: 5s }");
}

#[test]
fn the_numbers_of_gobreaker_mean_what_they_mean_there() {
    let config = load("max_requests: 3, interval: 60, timeout: 30").settings("x").config().clone();
    assert_eq!(config, load("half_open: { max_calls: 3, success_threshold: 3 }, window: { tumbling: 1m }, open: { duration: 30s }").settings("x").config().clone());
}

#[test]
fn a_threshold_of_one_is_doubted() {
    for keys in [
        "trip: { failure_rate: { threshold: 1 } }",
        "failure_rate_threshold: 1",
        "half_open: { failure_rate: 1, max_calls: 3 }",
    ] {
        let problems = problems(keys);
        let [problem] = &problems[..] else { panic!("{keys}: {problems:?}") };
        assert!(!problem.is_error() && problem.message().ends_with("is 1, which is all calls"), "{problem}");
        assert_eq!(problem.advice(), Some("for 1 % write 0.01; if all calls are meant, write 1.0"));
    }
    assert!(problems("trip: { failure_rate: { threshold: 1.0 } }").is_empty());
    assert!(
        load("trip: { failure_rate: { threshold: 1 } }")
            .settings("x")
            .config()
            .trip()
            .contains(&Trip::failure_rate(1.0))
    );
}

#[test]
fn a_window_below_the_clients_timeout_is_doubted() {
    let rate = "trip: { failure_rate: { threshold: 0.5 } }, window: { last: { duration: 10s } }";
    let messages = |keys: &str| -> Vec<String> {
        problems(keys).iter().map(|problem| problem.message().to_owned()).collect()
    };
    assert_eq!(
        messages(&format!("{rate}, call_timeout: 30s")),
        [
            "`breakers.x.window.last.duration` is 10s, below the `call_timeout` of 30s: of calls to a server that hangs, too few end in one window to open `x`"
        ]
    );
    assert!(messages(&format!("{rate}, call_timeout: 10s")).is_empty());
    let run = "trip: { failure_rate: { threshold: 0.5 }, consecutive_failures: 15 }, window: { last: { duration: 10s } }";
    assert!(messages(&format!("{run}, call_timeout: 30s")).is_empty(), "a run does not expire");
    assert_eq!(
        messages(&format!("{run}, call_timeout: 90s")),
        [
            "`breakers.x.half_open.probe_timeout` is 1m, below the `call_timeout` of 1m30s: a probe is counted as failed while its caller still waits"
        ]
    );
}

#[test]
fn a_duration_that_repeats_a_unit_is_refused() {
    for wait in ["3s3s", "1s1h"] {
        let problems = problems(&format!("open: {{ duration: {wait} }}"));
        assert!(
            problems[0].advice().unwrap().contains("each unit once, the largest first"),
            "{}",
            problems[0]
        );
    }
    assert_eq!(
        load("open: { duration: 1h30m }").settings("x").config().open_duration(),
        Duration::from_secs(5_400)
    );
}

#[test]
fn a_server_is_named_as_per_host_breakers_are() {
    let text = "breakers: { 'api.example.com:443': {}, 'db.example.com.': {}, 'api.example.com:8443': {}, 'payments': {} }";
    let problems = lint("t.yaml", Format::Yaml, text);
    let messages: Vec<_> = problems.iter().map(|problem| problem.message()).collect();
    assert_eq!(
        messages,
        [
            "`breakers.api.example.com:443` is no name of a per-host breaker, which is `api.example.com` for this server",
            "`breakers.db.example.com.` is no name of a per-host breaker, which is `db.example.com` for this server",
        ]
    );
}

#[test]
fn denied_warnings_are_errors() {
    let loader = Loader::new().text("t.yaml", Format::Yaml, "breakers: { x: { failure_rate_threshold: 1 } }");
    assert_eq!(loader.load().unwrap().warnings().len(), 1);
    let error = loader.deny_warnings().load().unwrap_err();
    assert!(error.to_string().ends_with("1 warning"), "{error}");
}
