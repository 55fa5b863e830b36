//! The line of a breaker, and the table of a registry.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock, Outcome, Registry, Trip, Window,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_line_for_each_state() {
    let (registry, hands) = registry();
    let breaker = registry.get_or_create("payments");
    reads(&breaker, "payments: closed for 0ms, no calls");

    hands.advance(200 * SECOND);
    record(&breaker, 39, 1);
    reads(&breaker, "payments: closed for 3m 20s, 1 of 40 calls failed (2.5%)");

    breaker.try_acquire().unwrap().record_after(Outcome::Failure, 2 * SECOND);
    record(&breaker, 0, 1);
    hands.advance(SECOND / 2);
    for _ in 0..7 {
        breaker.try_acquire().unwrap_err();
    }
    reads(
        &breaker,
        "payments: open for 500ms, retry in 1.5s, 3 of 42 calls failed (7.1%), 1 slow, 7 rejected",
    );

    hands.advance(3 * SECOND);
    reads(&breaker, "payments: half-open for 1.5s, no probe has reported");
    let _probe = breaker.try_acquire().unwrap();
    breaker.try_acquire().unwrap_err();
    reads(&breaker, "payments: half-open for 1.5s, no probe has reported, 1 rejected");

    breaker.force_open();
    reads(&breaker, "payments: forced open for 0ms");
    breaker.disable();
    reads(&breaker, "payments: disabled for 0ms");
    breaker.metrics_only();
    record(&breaker, 0, 1);
    reads(&breaker, "payments: metrics only for 0ms, 1 of 1 call failed (100%)");
}

#[test]
fn a_table_of_all_those_in_trouble_first() {
    let (registry, hands) = registry();
    let breaker = |name: &str| registry.get_or_create(name);
    record(&breaker("mail"), 123_456, 1);
    breaker("search").metrics_only();
    record(&breaker("search"), 3, 1);
    record(&breaker("inventory"), 1, 3);
    hands.advance(SECOND);
    record(&breaker("payments.internal:8443/very/long/name/that/goes/on"), 13, 2);
    breaker("payments.internal:8443/very/long/name/that/goes/on")
        .try_acquire()
        .unwrap()
        .record_after(Outcome::Failure, 2 * SECOND);
    hands.advance(SECOND);
    breaker("reports").force_open();
    breaker("reports").try_acquire().unwrap_err();

    let status = registry.status();
    assert_eq!(
        status.to_string(),
        "\
5 breakers: 1 closed, 1 open, 1 half-open, 1 forced open, 1 metrics only
NAME                  STATE         FOR  CALLS  FAILED  SLOW  REJECTED  RETRY IN
payments.internal:8…  open           1s     16   18.8%  6.2%         0        1s
reports               forced open   0ms      0                       1     never
inventory             half-open     0ms      0                       0
search                metrics only   2s      4     25%               0
mail                  closed         2s    100      1%               0"
    );
    assert!(format!("{status:120}").contains("payments.internal:8443/very/long/name/that/goes/on"));
    for width in [0, 60, 80, 120] {
        let text = format!("{status:width$}");
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width.max(80), "{widest} columns of {width}:\n{text}");
    }
}

#[test]
fn a_column_that_says_nothing_is_left_out() {
    let (registry, _hands) = registry();
    record(&registry.get_or_create("a"), 9, 0);
    assert_eq!(
        registry.status().to_string(),
        "\
1 breaker: 1 closed
NAME  STATE   FOR  CALLS  FAILED  REJECTED
a     closed  0ms      9      0%         0"
    );
}

#[test]
fn an_empty_registry_and_one_that_was_full() {
    assert_eq!(Registry::new().status().to_string(), "0 breakers");
    let full = Registry::builder().capacity(1).build();
    full.get_or_create("a");
    full.get_or_create("b");
    assert!(full.status().to_string().starts_with("1 breaker: 1 closed; 1 found the registry full\n"));
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    let (registry, _hands) = registry();
    let breaker = registry.get_or_create("evil\u{1b}[2J\nname");
    reads(&breaker, "evil\u{fffd}[2J\u{fffd}name: closed for 0ms, no calls");
    assert_eq!(registry.status().to_string().lines().count(), 3);
    assert!(!registry.status().to_string().contains('\u{1b}'));
}

fn registry() -> (Registry, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .trip(Trip::slow_call_rate(1.0, SECOND).minimum_calls(100))
        .window(Window::last_calls(100))
        .backoff(Backoff::none())
        .build()
        .unwrap();
    let (clock, hands) = Clock::manual();
    (Registry::builder().default_config(config).clock(clock).build(), hands)
}

fn record(breaker: &CircuitBreaker, successes: u32, failures: u32) {
    for _ in 0..successes {
        breaker.try_acquire().unwrap().success();
    }
    for _ in 0..failures {
        breaker.try_acquire().unwrap().failure();
    }
}

#[track_caller]
fn reads(breaker: &CircuitBreaker, line: &str) {
    assert_eq!(breaker.snapshot().to_string(), line);
}

#[test]
fn no_name_steers_what_it_is_shown_on() {
    let name = "a\nERROR: all is lost\r\u{1b}[31m\u{202e}\u{2028}";
    let breaker = CircuitBreaker::builder(name).build();
    let registry = Registry::new();
    registry.insert(breaker.clone()).unwrap();
    let mut shown = vec![
        breaker.snapshot().to_string(),
        breaker.explain(),
        registry.insert(breaker.clone()).unwrap_err().to_string(),
        // Without the line breaks of the table itself.
        registry.status().to_string().lines().collect(),
    ];
    breaker.trip();
    shown.push(breaker.try_acquire().unwrap_err().to_string());
    breaker.force_open();
    shown.push(breaker.try_acquire().unwrap_err().to_string());
    breaker.reset();
    breaker.open_for(Duration::ZERO);
    let _probe = breaker.try_acquire().unwrap();
    shown.push(breaker.try_acquire().unwrap_err().to_string());
    for text in shown {
        assert!(text.contains("all is lost"), "{text:?}");
        assert!(text.chars().all(halfopen::adapter::is_printable), "{text:?}");
    }
}

#[test]
fn a_long_name_is_cut_where_it_is_shown() {
    let breaker = CircuitBreaker::builder("x".repeat(10_000)).build();
    breaker.force_open();
    let rejected = breaker.try_acquire().unwrap_err();
    for text in [rejected.to_string(), breaker.snapshot().to_string(), breaker.explain()] {
        assert!(text.contains('…') && text.len() < 400, "{} bytes", text.len());
    }
    assert_eq!(rejected.name().len(), 10_000, "programs get it whole");
}
