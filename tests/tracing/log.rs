//! The records of a program with a `log` logger and without a subscriber.
//!
//! In a separate program: the logger is global.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Mutex;

use halfopen::{CircuitBreaker, Registry};
use halfopen_tracing::TracingListener;
use log::{LevelFilter, Log, Metadata, Record};

/// Openings were checked against subscribers only, and therefore not logged.
#[test]
fn openings_reach_a_logger_without_a_subscriber() {
    log::set_logger(&Heard).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let breaker = CircuitBreaker::builder("payments").listener(TracingListener::new()).build();

    breaker.force_open();
    breaker.reset();
    breaker.trip();

    let registry = Registry::builder().capacity(0).build();
    let _sub = registry.subscribe(TracingListener::new());
    registry.get_or_create("one");
    registry.get_or_create("two");

    let lines = LINES.lock().unwrap().clone();
    let starts = [
        "INFO halfopen circuit breaker is forced open name=\"payments\" from=\"closed\"",
        "INFO halfopen circuit breaker is closed",
        "INFO halfopen circuit breaker reset",
        "WARN halfopen circuit breaker opened name=\"payments\" from=\"closed\" to=\"open\" reasons=\"manual\"",
        "WARN halfopen circuit breaker registry is full: this name has a breaker outside of it name=\"one\" capacity=0",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(lines[3].contains("wait_seconds="), "{lines:#?}");
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Heard;

impl Log for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}
