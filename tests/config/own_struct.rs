//! A configuration inside a user's own settings, in each format: the same shape, durations as text, and errors
//! that name the field.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use halfopen::{Abandoned, Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};
use halfopen_config::{Format, Loader};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    url: String,
    #[serde(default)]
    breaker: CircuitBreakerConfig,
}

const YAML: &str = "
url: http://payments
breaker:
  trip:
    failure_rate: { threshold: 0.5, minimum_calls: 20 }
    slow_call_rate: { threshold: 0.8, slow_after: 500ms }
  window: { last: { duration: 1m30s, buckets: 9 } }
  open: { duration: 5s, hint_max: 30s, backoff: { multiplier: 2, max: 1m, jitter: 0.1 } }
  half_open: { max_calls: 2, success_threshold: 3, probe_timeout: 10s }
  abandoned: { failure_after: 2s }
  time_calls: true
";

const TOML: &str = r#"
url = "http://payments"
[breaker]
time_calls = true
window.last = { duration = "90s", buckets = 9 }
open = { duration = "5s", hint_max = "30s", backoff = { multiplier = 2, max = "60s", jitter = 0.1 } }
half_open = { max_calls = 2, success_threshold = 3, probe_timeout = "10s" }
abandoned.failure_after = "2s"
[breaker.trip]
failure_rate = { threshold = 0.5, minimum_calls = 20 }
slow_call_rate = { threshold = 0.8, slow_after = "500ms" }
"#;

#[test]
fn each_format_reads_the_same() {
    let settings = Settings { url: "http://payments".into(), breaker: payments() };
    assert_eq!(yaml(YAML).unwrap(), settings);
    assert_eq!(toml(TOML).unwrap(), settings);
    let written = serde_json::to_string(&settings).unwrap();
    assert_eq!(json(&written).unwrap(), settings);
    // JSON is YAML, so the written text can be read as YAML too.
    assert_eq!(yaml(&written).unwrap(), settings);
    assert_eq!(toml(&toml::to_string(&settings).unwrap()).unwrap(), settings);
}

/// The breakers of a document, each of which the core can read as well.
const DOCUMENT: &str = r#"{ "breakers": {
    "default": {},
    "rules": { "trip": { "minimum_calls": 20, "failure_rate": {}, "slow_call_rate": { "threshold": 0.8, "slow_after": "500ms" } } },
    "minimum": { "trip": { "minimum_calls": 20 } },
    "off": { "trip": { "failure_rate": "off", "consecutive_failures": 3, "failure_count": false } },
    "list": { "trip": [{ "failure_count": 5 }, { "failure_rate": { "threshold": 0.2 } }, { "failure_rate": { "threshold": 0.5, "minimum_calls": 90 } }] },
    "nothing": { "trip": [] },
    "window": { "window": { "last": { "buckets": 5 } } },
    "calls": { "window": { "last_calls": 100 } },
    "tumbling": { "window": { "tumbling": "1m" } },
    "word": { "window": "unbounded" },
    "unbounded": { "window": { "unbounded": true } },
    "open": { "open": { "duration": "5s", "hint_max": "30s", "backoff": { "multiplier": 2, "max": "1m", "forget_after": "10m" } } },
    "steady": { "open": { "backoff": { "multiplier": 1 } } },
    "delays": { "open": { "backoff": { "delays": ["1s", "5s"], "jitter": 0 } } },
    "probes": { "half_open": { "max_calls": 2, "success_threshold": 3, "max_failures": 1, "probe_timeout": "10s" } },
    "share": { "half_open": { "max_calls": 4, "failure_rate": 0.5 } },
    "abandoned": { "abandoned": { "failure_after": "2s" }, "time_calls": true }
} }"#;

#[test]
fn a_section_of_a_document_reads_in_the_core() {
    let loaded = Loader::new().text("t.json", Format::Json, DOCUMENT).load().unwrap();
    let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
    for (name, section) in document["breakers"].as_object().unwrap() {
        let read: CircuitBreakerConfig = serde_json::from_value(section.clone()).unwrap();
        assert_eq!(read, *loaded.settings(name).config(), "{name}");
    }
}

#[test]
fn what_the_core_writes_is_a_section_of_a_document() {
    let section = serde_json::to_value(payments()).unwrap();
    let text = serde_json::json!({ "breakers": { "payments": section } }).to_string();
    let loaded = Loader::new().text("t.json", Format::Json, text).load().unwrap();
    assert_eq!(*loaded.settings("payments").config(), payments());
    assert!(loaded.warnings().is_empty(), "{:?}", loaded.warnings());
}

#[test]
fn settings_without_a_breaker_get_the_default() {
    assert_eq!(toml("url = 'a'").unwrap().breaker, CircuitBreakerConfig::default());
    assert_eq!(yaml("{ url: a, breaker: {} }").unwrap().breaker, CircuitBreakerConfig::default());
}

#[test]
fn a_flattened_configuration_has_keys_beside_it() {
    #[derive(Deserialize)]
    struct Flat {
        url: String,
        #[serde(flatten)]
        breaker: CircuitBreakerConfig,
    }
    let flat: Flat = serde_json::from_str(r#"{ "url": "a", "open": { "duration": "7s" } }"#).unwrap();
    assert_eq!((&*flat.url, flat.breaker.open_duration()), ("a", Duration::from_secs(7)));
}

#[test]
fn an_invalid_value_names_its_field_and_range() {
    let wrong = [
        ("half_open: { max_calls: 0 }", "half_open = { max_calls = 0 }", "`half_open.max_calls` is 0"),
        ("window: { last_calls: 0 }", "window = { last_calls = 0 }", "`window.last_calls` is 0, but must be"),
        (
            "open: { backoff: { jitter: 1.5 } }",
            "open = { backoff = { jitter = 1.5 } }",
            "`backoff.jitter` is 1.5",
        ),
        ("open: { hint_max: 0s }", "open = { hint_max = '0s' }", "`hint_max` is 0s"),
    ];
    for (in_yaml, in_toml, expected) in wrong {
        let told = yaml(&format!("url: a\nbreaker:\n  {in_yaml}\n")).unwrap_err();
        assert!(told.contains(expected), "{told}");
        let told = toml(&format!("url = 'a'\n[breaker]\n{in_toml}\n")).unwrap_err();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn all_invalid_values_are_told_at_once() {
    let told = toml("url = 'a'\n[breaker]\nopen = { hint_max = '0s' }\nhalf_open = { max_calls = 0 }\n")
        .unwrap_err();
    assert!(told.contains("`hint_max`") && told.contains("`half_open.max_calls`"), "{told}");
}

#[test]
fn what_cannot_be_read_is_told_with_what_was_expected() {
    let told = toml("url = 'a'\nbreaker.open.duration = '30'\n").unwrap_err();
    assert!(told.contains("30 has no unit; write `30s` for seconds"), "{told}");
    assert!(told.contains("duration"), "{told}");
    let told = yaml("url: a\nbreaker:\n  open: { duration: 30 }\n").unwrap_err();
    assert!(told.contains("30s"), "{told}");
    let told = yaml("url: a\nbreaker:\n  open: { duratoin: 30s }\n").unwrap_err();
    assert!(told.contains("duratoin") && told.contains("duration"), "{told}");
    let told = json(r#"{ "url": "a", "breaker": { "trip": { "failure_rat": { "threshold": 1 } } } }"#);
    assert!(told.unwrap_err().contains("expected one of `consecutive_failures`"));
}

fn payments() -> CircuitBreakerConfig {
    CircuitBreakerConfig::builder()
        .trip(Trip::failure_rate(0.5).minimum_calls(20))
        .trip(Trip::slow_call_rate(0.8, Duration::from_millis(500)))
        .window(Window::last(Duration::from_secs(90)).buckets(9))
        .open_duration(Duration::from_secs(5))
        .backoff(Backoff::exponential(2.0).max(Duration::from_secs(60)).jitter(0.1))
        .hint_max(Duration::from_secs(30))
        .half_open(HalfOpen::new().max_calls(2).success_threshold(3).probe_timeout(Duration::from_secs(10)))
        .abandoned(Abandoned::FailureAfter(Duration::from_secs(2)))
        .time_calls(true)
        .build()
        .unwrap()
}

fn yaml(text: &str) -> Result<Settings, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

fn toml(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn json(text: &str) -> Result<Settings, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
