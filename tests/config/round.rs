//! Writing a configuration as a document and reading it again preserves it, in every format.

use std::time::Duration;

use halfopen::{Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};
use halfopen_config::{Document, Format, Loader};
use proptest::prelude::*;

fn time() -> impl Strategy<Value = Duration> {
    (1_u64..10_000_000_000_000).prop_map(Duration::from_nanos)
}

fn share() -> impl Strategy<Value = f64> {
    (1_u32..=1000).prop_map(|thousandths| f64::from(thousandths) / 1000.0)
}

fn config() -> impl Strategy<Value = CircuitBreakerConfig> {
    let trip = prop_oneof![
        (1_u32..1000).prop_map(Trip::consecutive_failures),
        (1_u32..1000).prop_map(Trip::failure_count),
        (share(), 1_u32..50).prop_map(|(share, calls)| Trip::failure_rate(share).minimum_calls(calls)),
    ];
    let slow = (share(), time()).prop_map(|(share, after)| Trip::slow_call_rate(share, after));
    let window = prop_oneof![
        (50_u32..1000).prop_map(Window::last_calls),
        (time(), 1_u32..20).prop_map(|(time, n)| Window::last(time + Duration::from_secs(1)).buckets(n)),
        time().prop_map(Window::tumbling),
        Just(Window::unbounded()),
    ];
    let backoff = prop_oneof![
        Just(Backoff::none()),
        (2_u32..50).prop_map(|multiplier| Backoff::exponential(multiplier.into())),
        prop::collection::vec(time(), 1..4).prop_map(Backoff::delays),
    ];
    let half_open = prop_oneof![
        (1_u32..9, 1_u32..9, 0_u32..3).prop_map(|(calls, good, bad)| HalfOpen::new()
            .max_calls(calls)
            .success_threshold(good)
            .max_failures(bad)),
        (1_u32..9, share()).prop_map(|(calls, rate)| HalfOpen::new().max_calls(calls).failure_rate(rate)),
    ];
    let parts =
        (prop::collection::vec(trip, 0..3), prop::option::of(slow), window, backoff, half_open, time());
    (parts, any::<bool>()).prop_map(|((trips, slow, window, backoff, half_open, wait), timed)| {
        let builder = CircuitBreakerConfig::builder().no_trip_rules();
        let builder = trips.into_iter().chain(slow).fold(builder, |builder, rule| builder.trip(rule));
        let builder = builder.window(window).backoff(backoff).half_open(half_open).open_duration(wait);
        builder.time_calls(timed).build().expect("numbers in their ranges")
    })
}

/// The configuration, and the document written from it.
fn read(format: Format, text: &str) -> (CircuitBreakerConfig, String) {
    let document = Document::parse("t", format, text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let loaded =
        Loader::new().text("t", format, text).load().unwrap_or_else(|error| panic!("{text}\n{error}"));
    let written = serde_json::to_string(&document).expect("a document can be written");
    (loaded.settings("x").config().clone(), written)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn config_to_document_to_config_is_the_identity(config in config()) {
        let text = serde_json::json!({ "breakers": { "x": config } }).to_string();
        let (first, written) = read(Format::Json, &text);
        prop_assert_eq!(&first, &config);
        let (second, again) = read(Format::Yaml, &written);
        prop_assert_eq!(&second, &config);
        prop_assert_eq!(again, written);
    }
}
