//! The `tracing` events of breakers, as received by our own subscriber.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod collector;
mod limits;

use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, Clock, ManualClock, Outcome, Registry, Trip, Window,
};
use halfopen_tracing::TracingListener;
use test_support::breaker::on_manual_clock;
use tracing::Level;

use collector::{Heard, listen};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_opening_is_one_warning_with_its_details() {
    let (breaker, _hands) = breaker();
    let heard = listen(Level::TRACE, || {
        breaker.try_acquire().unwrap().success();
        breaker.try_acquire().unwrap().record_after(Outcome::Failure, 3 * SECOND);
        fail(&breaker, 2);
        for _ in 0..5 {
            breaker.try_acquire().unwrap_err();
        }
    });

    assert_eq!(heard.len(), 1, "{heard:#?}");
    let Heard { level, target, message, .. } = &heard[0];
    assert_eq!(
        (*level, target.as_str(), message.as_str()),
        (Level::WARN, "halfopen", "circuit breaker opened")
    );
    for (field, value) in [
        ("name", "payments"),
        ("from", "closed"),
        ("to", "open"),
        ("reasons", "consecutive_failures+failure_rate"),
        ("calls", "4"),
        ("failures", "3"),
        ("slow", "1"),
        ("consecutive_failures", "3"),
        ("failure_rate", "0.75"),
        ("wait_seconds", "10.0"),
        ("sequence", "1"),
    ] {
        assert_eq!(heard[0].field(field), Some(value), "{field}");
    }
}

#[test]
fn an_opening_by_evidence_has_its_numbers() {
    let (clock, hands) = Clock::manual();
    let breaker = CircuitBreaker::builder("learns")
        .config(CircuitBreakerConfig::adaptive())
        .clock(clock)
        .listener(TracingListener::new())
        .build();
    for _ in 0..700 {
        breaker.try_acquire().unwrap().success();
        hands.advance(SECOND / 10);
    }
    let heard = listen(Level::TRACE, || {
        while breaker.is_closed() {
            breaker.try_acquire().unwrap().failure();
        }
    });

    let opening = heard.iter().find(|heard| heard.message == "circuit breaker opened").unwrap();
    assert_eq!((opening.level, opening.field("reasons")), (Level::WARN, Some("evidence")));
    let number = |field| opening.field(field).unwrap().parse::<f64>().unwrap();
    assert!(number("down") > 0.5 && number("worth") < -0.15 && number("normal") < 0.01, "{opening:#?}");
    assert_eq!((number("bad_in_doubt"), number("slow_in_doubt")), (number("calls_in_doubt"), 0.0));
    assert!(number("likeliest") > 0.5 && number("next_probe_seconds") > 1.0, "{opening:#?}");
    assert_eq!((number("slow_limit_seconds"), number("relapses")), (0.7, 0.0));
    assert_eq!(opening.field("wait_seconds"), None, "an adaptive breaker has none");
}

#[test]
fn a_window_roll_is_logged_at_debug() {
    let (clock, hands) = Clock::manual();
    let window = Window::last(10 * SECOND).buckets(10);
    let config = CircuitBreakerConfig::builder().window(window).build().unwrap();
    let breaker = CircuitBreaker::builder("payments")
        .config(config)
        .clock(clock)
        .listener(TracingListener::new())
        .build();
    let pass = || {
        for _ in 0..3 {
            breaker.try_acquire().unwrap().success();
        }
        breaker.try_acquire().unwrap().failure();
    };
    let heard = listen(Level::DEBUG, || {
        pass();
        hands.advance(SECOND);
        pass();
        hands.advance(20 * SECOND);
    });

    assert_eq!(heard.len(), 1, "one bucket was entered by a call, and idle time rolls nothing: {heard:#?}");
    assert_eq!(heard[0].message, "circuit breaker window rolled");
    for (field, value) in [("name", "payments"), ("calls", "5"), ("failures", "1"), ("failure_rate", "0.2")] {
        assert_eq!(heard[0].field(field), Some(value), "{field}");
    }
    hands.advance(SECOND);
    assert!(listen(Level::INFO, pass).is_empty());
}

#[test]
fn every_other_change_is_information() {
    let (breaker, hands) = breaker();
    let heard = listen(Level::INFO, || {
        breaker.trip();
        hands.advance(10 * SECOND);
        breaker.try_acquire().unwrap().success();
        breaker.force_open();
        breaker.disable();
        breaker.reset();
        breaker.set_config(CircuitBreakerConfig::default());
    });

    let told: Vec<_> = heard.iter().map(|heard| format!("{} {}", heard.level, heard.message)).collect();
    assert_eq!(
        told,
        [
            "WARN circuit breaker opened",
            "INFO circuit breaker is half-open",
            "INFO circuit breaker is closed",
            "INFO circuit breaker is forced open",
            "INFO circuit breaker is disabled",
            "INFO circuit breaker is closed",
            "INFO circuit breaker reset",
            "INFO circuit breaker configuration replaced",
        ]
    );
    assert_eq!(heard[1].field("reasons"), Some("wait_over"));
    assert_eq!(heard[2].field("reasons"), Some("probes_passed"));
    assert_eq!(heard[2].field("wait_seconds"), None);
}

#[test]
fn a_wait_that_a_server_asked_for_is_told() {
    let (breaker, hands) = breaker();
    let heard = listen(Level::WARN, || {
        fail(&breaker, 2);
        breaker.try_acquire().unwrap().failure_with_hint(30 * SECOND);
        hands.advance(30 * SECOND);
        fail(&breaker, 1);
    });
    let hints: Vec<_> = heard
        .iter()
        .map(|heard| (heard.field("wait_seconds").unwrap(), heard.field("hint_seconds")))
        .collect();
    assert_eq!(hints, [("30.0", Some("30.0")), ("20.0", None)]);
}

#[test]
fn a_reopening_warns_again_with_its_own_wait() {
    let (breaker, hands) = breaker();
    let heard = listen(Level::WARN, || {
        breaker.trip();
        hands.advance(10 * SECOND);
        fail(&breaker, 1);
    });
    let waits: Vec<_> = heard.iter().map(|heard| heard.field("wait_seconds").unwrap()).collect();
    assert_eq!(waits, ["10.0", "20.0"]);
    assert_eq!(heard[1].field("reasons"), Some("probe_failed"));
}

#[test]
fn a_flood_of_rejections_is_one_line_a_second() {
    let (breaker, hands) = breaker();
    let heard = listen(Level::DEBUG, || {
        breaker.trip();
        for _ in 0..35 {
            for _ in 0..20 {
                breaker.try_acquire().unwrap_err();
            }
            hands.advance(SECOND / 10);
        }
        breaker.reset();
    });

    let rejections: Vec<_> = heard.iter().filter(|heard| heard.level == Level::DEBUG).collect();
    let counts: Vec<u64> =
        rejections.iter().map(|heard| heard.field("rejected").unwrap().parse().unwrap()).collect();
    assert_eq!(counts, [200, 200, 200, 100]);
    assert_eq!(rejections[0].field("over_seconds"), Some("1.0"));
    assert_eq!(rejections[0].field("reason"), Some("open"));
    let order: Vec<_> = heard.iter().map(|heard| heard.message.as_str()).collect();
    assert_eq!(order[4..6], ["circuit breaker rejected calls", "circuit breaker is closed"]);
}

#[test]
fn while_debug_is_off_rejections_are_not_counted() {
    let (breaker, _hands) = breaker();
    let heard = listen(Level::INFO, || {
        breaker.force_open();
        breaker.try_acquire().unwrap_err();
    });
    assert_eq!(heard.len(), 1);
    let heard = listen(Level::DEBUG, || {
        breaker.try_acquire().unwrap_err();
        breaker.reset();
    });
    assert_eq!(heard[0].field("rejected"), Some("1"), "{heard:#?}");
}

#[test]
fn what_metrics_only_would_have_done_is_told() {
    let (breaker, _hands) = breaker();
    let heard = listen(Level::INFO, || {
        breaker.metrics_only();
        fail(&breaker, 4);
    });
    assert_eq!(heard[1].message, "circuit breaker would have opened");
    assert_eq!(heard[1].field("reasons"), Some("consecutive_failures"));
    assert_eq!(heard.len(), 2);
}

#[test]
fn calls_make_no_events_and_no_spans() {
    let (breaker, _hands) = breaker();
    let heard = listen(Level::TRACE, || {
        for _ in 0..100 {
            breaker.call_blocking(|| Ok::<_, ()>(())).unwrap();
        }
    });
    assert_eq!(heard, []);
}

#[test]
fn a_registry_tells_of_breakers_to_come() {
    let registry = Registry::new();
    registry.subscribe(TracingListener::new()).forget();
    let heard = listen(Level::WARN, || {
        registry.get_or_create("later").trip();
    });
    assert_eq!(heard[0].field("name"), Some("later"));
}

/// Three consecutive failures, or three quarters of four calls; ten seconds, doubled each time.
fn breaker() -> (CircuitBreaker, ManualClock) {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .trip(Trip::failure_rate(0.75).minimum_calls(4))
        .trip(Trip::slow_call_rate(1.0, SECOND).minimum_calls(100))
        .window(Window::last_calls(100))
        .open_duration(10 * SECOND)
        .backoff(Backoff::exponential(2.0))
        .build()
        .unwrap();
    on_manual_clock(CircuitBreaker::builder("payments").config(config).listener(TracingListener::new()))
}

fn fail(breaker: &CircuitBreaker, calls: u32) {
    for _ in 0..calls {
        breaker.try_acquire().unwrap().failure();
    }
}
