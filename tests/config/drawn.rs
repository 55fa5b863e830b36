//! Random documents: every group and every flat key, alone and together.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// A document of a few breakers; some are contradictory.
pub(crate) fn document() -> impl Strategy<Value = Value> {
    let names = subsequence(vec!["payments", "db-*", "a.b", "größe", "on", "*", "12", "two words"], 1..4);
    let breakers = names.prop_flat_map(|names| {
        let count = names.len();
        let sections = prop::collection::vec(section(), count);
        sections.prop_map(move |sections| names.iter().map(|name| (*name).to_owned()).zip(sections).collect())
    });
    let mine = (section(), option::of(select(vec!["database", "aggressive"])))
        .prop_map(|(section, base)| json!({ "mine": with(section, "extends", base.map(Value::from)) }));
    keys(vec![
        ("defaults", sometimes(section())),
        ("templates", mine.prop_map(Some).boxed()),
        ("environments", sometimes(section().prop_map(|section| json!({ "night": section })))),
        ("breakers", breakers.prop_map(|all: Map<String, Value>| Some(Value::Object(all))).boxed()),
    ])
}

type Drawn = BoxedStrategy<Option<Value>>;

fn sometimes<S: Strategy<Value: Into<Value> + Clone> + 'static>(value: S) -> Drawn {
    option::weighted(0.4, value.prop_map(Into::into)).boxed()
}

fn keys(parts: Vec<(&'static str, Drawn)>) -> BoxedStrategy<Value> {
    let (names, values): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let map = move |values: Vec<Option<Value>>| {
        let present = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        Value::Object(present.collect())
    };
    values.prop_map(map).boxed()
}

fn with(mut section: Value, key: &str, value: Option<Value>) -> Value {
    if let (Value::Object(keys), Some(value)) = (&mut section, value) {
        keys.insert(key.to_owned(), value);
    }
    section
}

/// One breaker: each part as a group, or flat, or neither.
fn section() -> BoxedStrategy<Value> {
    let parts = vec![
        prop_oneof![keys(vec![("trip", sometimes(trip()))]), flat_trip()].boxed(),
        prop_oneof![keys(vec![("window", sometimes(window()))]), flat_window()].boxed(),
        prop_oneof![keys(vec![("open", sometimes(open()))]), flat_open()].boxed(),
        prop_oneof![keys(vec![("half_open", sometimes(half_open()))]), flat_half_open()].boxed(),
        beside(),
    ];
    parts.prop_map(|parts| parts.into_iter().fold(json!({}), merged)).boxed()
}

fn merged(mut all: Value, part: Value) -> Value {
    if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
        all.extend(part);
    }
    all
}

fn beside() -> BoxedStrategy<Value> {
    let statuses = || {
        sometimes(prop::collection::vec(
            select(vec![json!(503), json!("429"), json!("5xx"), json!("400-404")]),
            0..4,
        ))
    };
    let codes = || sometimes(subsequence(vec!["UNAVAILABLE", "Cancelled", "data_loss", "NOT_FOUND"], 0..=4));
    let http = keys(vec![("failures", statuses()), ("ignored", statuses()), ("successes", statuses())]);
    let grpc = keys(vec![("failures", codes()), ("ignored", codes())]);
    let abandoned = prop_oneof![
        select(vec![json!("ignore"), json!("failure")]),
        duration().prop_map(|age| json!({ "failure_after": age })),
    ];
    keys(vec![
        ("template", sometimes(select(vec!["mine", "grpc", "external_api"]))),
        ("environment", sometimes(Just("production"))),
        ("enabled", sometimes(any::<bool>())),
        ("abandoned", sometimes(abandoned)),
        ("time_calls", sometimes(any::<bool>())),
        ("expected_rate", sometimes(select(vec![0.5, 10.0, 1e6]))),
        (
            "circuit_type",
            sometimes(select(vec!["count_based", "time_based", "percentage_based", "adaptive"])),
        ),
        ("excluded_exceptions", sometimes(subsequence(vec!["ValueError", "KeyError"], 0..=2))),
        ("classify", sometimes(keys(vec![("http", sometimes(http)), ("grpc", sometimes(grpc))]))),
        ("metadata", sometimes(metadata())),
        (
            "bulkhead_config",
            sometimes(keys(vec![
                ("max_concurrent_calls", sometimes(1..50u32)),
                ("isolation_pool_name", sometimes(word())),
                ("queue_timeout", sometimes(seconds())),
            ])),
        ),
        (
            "health_check_config",
            sometimes(keys(vec![
                ("health_check_interval", sometimes(seconds())),
                ("health_check_timeout", sometimes(seconds())),
                ("health_check_url", sometimes(Just("http://localhost/health"))),
            ])),
        ),
    ])
}

fn metadata() -> BoxedStrategy<Value> {
    keys(vec![
        ("version", sometimes(select(vec![json!("1.10"), json!("2"), json!(3)]))),
        ("description", sometimes(word())),
        ("tags", sometimes(prop::collection::vec(word(), 0..3))),
        ("priority", sometimes(-3..9i64)),
        ("service_category", sometimes(word())),
        ("owner", sometimes(word())),
        ("notes", sometimes(word().prop_map(|note| json!({ "why": note })))),
    ])
}

fn trip() -> BoxedStrategy<Value> {
    let rate = || keys(vec![("threshold", always(share())), ("minimum_calls", sometimes(1..40u32))]);
    let slow = || (rate(), duration()).prop_map(|(rate, after)| with(rate, "slow_after", Some(after)));
    let map = keys(vec![
        ("consecutive_failures", sometimes(1..20u32)),
        ("failure_count", sometimes(prop_oneof![(1..20u32).prop_map(Value::from), Just(json!("off"))])),
        ("failure_rate", sometimes(prop_oneof![rate(), Just(json!("off"))])),
        ("slow_call_rate", sometimes(slow())),
        ("minimum_calls", sometimes(1..40u32)),
    ]);
    let one = prop_oneof![
        (1..20u32).prop_map(|failures| json!({ "consecutive_failures": failures })),
        (1..20u32).prop_map(|failures| json!({ "failure_count": failures })),
        rate().prop_map(|rate| json!({ "failure_rate": rate })),
        slow().prop_map(|rate| json!({ "slow_call_rate": rate })),
    ];
    prop_oneof![map, prop::collection::vec(one, 0..4).prop_map(Value::from)].boxed()
}

fn flat_trip() -> BoxedStrategy<Value> {
    keys(vec![
        ("failure_threshold", sometimes(1..20u32)),
        ("failure_rate_threshold", sometimes(share())),
        ("min_requests_for_rate", sometimes(1..40u32)),
    ])
}

fn window() -> BoxedStrategy<Value> {
    let last = keys(vec![("duration", always(duration())), ("buckets", sometimes(1..20u32))]);
    prop_oneof![
        (40..500u32).prop_map(|calls| json!({ "last_calls": calls })),
        last.prop_map(|last| json!({ "last": last })),
        duration().prop_map(|time| json!({ "tumbling": time })),
        select(vec![json!({ "unbounded": true }), json!("unbounded")]),
    ]
    .boxed()
}

fn flat_window() -> BoxedStrategy<Value> {
    prop_oneof![
        keys(vec![("sliding_window_size", sometimes(40..500u32))]),
        keys(vec![("failure_window_seconds", sometimes(seconds()))]),
        keys(vec![("interval", sometimes(prop_oneof![seconds(), Just(json!(0))]))]),
    ]
    .boxed()
}

fn open() -> BoxedStrategy<Value> {
    let more = || {
        vec![
            ("max", sometimes(duration())),
            ("jitter", sometimes(select(vec![0.0, 0.25, 0.9]))),
            ("forget_after", sometimes(duration())),
        ]
    };
    let grows = keys(
        [vec![("multiplier", sometimes(select(vec![json!(1), json!(1.5), json!(1000)])))], more()].concat(),
    );
    let delays = prop::collection::vec(duration(), 1..4);
    let listed = (delays, keys(vec![("jitter", sometimes(Just(0.5)))]))
        .prop_map(|(delays, rest)| with(rest, "delays", Some(delays.into())));
    keys(vec![
        ("duration", sometimes(duration())),
        ("hint_max", sometimes(duration())),
        ("backoff", sometimes(prop_oneof![grows, listed])),
    ])
}

fn flat_open() -> BoxedStrategy<Value> {
    let wait = prop_oneof![
        keys(vec![("timeout", sometimes(seconds()))]),
        keys(vec![("timeout_seconds", sometimes(seconds()))]),
        keys(vec![("timeout_duration", sometimes(seconds()))]),
        keys(vec![("open_duration", sometimes(duration()))]),
    ];
    let rest = keys(vec![
        ("hint_max", sometimes(duration())),
        ("exponential_backoff", sometimes(any::<bool>())),
        ("backoff_multiplier", sometimes(select(vec![1.5, 2.0]))),
        ("max_backoff_seconds", sometimes(seconds())),
    ]);
    (wait, rest).prop_map(|(wait, rest)| merged(wait, rest)).boxed()
}

fn half_open() -> BoxedStrategy<Value> {
    let counts = keys(vec![
        ("max_calls", sometimes(1..5u32)),
        ("success_threshold", sometimes(1..5u32)),
        ("max_failures", sometimes(0..3u32)),
        ("probe_timeout", sometimes(duration())),
        ("ramp", sometimes(duration())),
    ]);
    let rate = keys(vec![("max_calls", sometimes(2..9u32)), ("failure_rate", always(share()))]);
    prop_oneof![counts, rate].boxed()
}

fn flat_half_open() -> BoxedStrategy<Value> {
    keys(vec![("success_threshold", sometimes(1..5u32)), ("half_open_max_calls", sometimes(1..5u32))])
}

fn always<S: Strategy<Value: Into<Value>> + 'static>(value: S) -> Drawn {
    value.prop_map(|value| Some(value.into())).boxed()
}

fn share() -> impl Strategy<Value = f64> {
    (1..=100u32).prop_map(|percent| f64::from(percent) / 100.0)
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["off", "1.10", "null", "~", "a: b", "#", "é\n\"", "", " x ", "0x10", "yes"])
            .prop_map(String::from),
        "[ -~]{0,8}"
    ]
}

fn seconds() -> BoxedStrategy<Value> {
    prop_oneof![(1..600u32).prop_map(Value::from), Just(json!(0.5)), duration()].boxed()
}

fn duration() -> BoxedStrategy<Value> {
    let unit = select(vec!["s", "ms", "m", "s500ms"]);
    (1..120u32, unit).prop_map(|(count, unit)| Value::from(format!("{count}{unit}"))).boxed()
}
