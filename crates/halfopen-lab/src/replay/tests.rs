use halfopen::{Backoff, CircuitBreakerConfig, Trip};

use super::*;
use crate::call::{By, LoggedEnd};

const S: Nanos = 1_000_000_000;

fn setting() -> Setting {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(std::time::Duration::from_secs(10))
        .backoff(Backoff::none())
        .build()
        .expect("valid");
    Setting::new("three in a row", config)
}

fn call(start: Nanos, took: Nanos, is_bad: bool) -> Call {
    let outcome = if is_bad { Outcome::Failure } else { Outcome::Success };
    Call { start, took: Some(took), key: 0, end: LoggedEnd::Outcome(outcome) }
}

fn play(calls: impl IntoIterator<Item = Call>) -> Report {
    let keys = Keys::new(By::All);
    let mut replay = Replay::new(vec![setting()], Some(S / 2));
    calls.into_iter().for_each(|call| replay.push(&keys, call));
    replay.finish()
}

/// A call each second, of which those of a range fail.
fn outage(failing: std::ops::Range<u64>) -> Report {
    play((0..100).map(|second| call(1_000 * S + second * S, S / 10, failing.contains(&second))))
}

#[test]
fn an_outage_is_scored_call_by_call() {
    let report = outage(30..61);
    let setting = &report.settings[0];
    // Open from 32.1, 43.1 (after the probe of 43) and 54.1 on; the probe of 65 closes it.
    assert_eq!(setting.openings, 3);
    assert_eq!(setting.rejected_bad, 31 - 3 - 2);
    assert_eq!(setting.rejected_good, 4);
    assert!((setting.wait_saved - 2.6).abs() < 1e-9, "{}", setting.wait_saved);
    let found = setting.late_too.detected;
    assert_eq!((found.incidents, found.missed, found.false_trips), (1, 0, 0));
    assert_eq!(found.detection.mean(), Some(2.1), "the third failure ends at 32.1");
    assert_eq!(setting.late_too.gain(), 22);
}

#[test]
fn an_outcome_counts_when_the_logged_call_ended() {
    // Three failures that begin before, and end after, twenty good calls.
    let long = (0..3).map(|call_| call(call_, 30 * S, true));
    let report = play(long.chain((1..40).map(|second| call(second * S, S / 10, false))));
    let rejected = report.settings[0].rejected();
    assert_eq!(rejected, 9, "of the seconds 31 to 39");
}

#[test]
fn late_answers_are_bad_without_credit() {
    let report = play((0..40).map(|second| call(second * S, S, second == 3)));
    assert_eq!((report.log.good, report.log.late, report.log.bad), (0, 39, 1));
    let setting = &report.settings[0];
    assert_eq!((setting.in_time.bad, setting.late_too.bad), (40, 1));
    assert_eq!((setting.in_time.detected.missed, setting.late_too.detected.incidents), (1, 0));
}

#[test]
fn breakers_of_keys_are_independent() {
    let keys = {
        let mut keys = Keys::new(By::Upstream);
        for name in ["down", "up"] {
            let upstream = Some(name.into());
            let end = LoggedEnd::Abandoned;
            keys.call(&crate::LoggedCall {
                start: 0,
                took: None,
                end,
                has_zone: true,
                upstream,
                service: None,
                route: None,
            });
        }
        keys
    };
    let mut replay = Replay::new(vec![setting()], None);
    for second in 0..20 {
        replay.push(&keys, call(second * S, 0, true));
        replay.push(&keys, Call { key: 1, ..call(second * S, 0, false) });
    }
    let report = replay.finish();
    assert_eq!((report.settings[0].rejected_good, report.settings[0].rejected_bad), (0, 16));
}

#[test]
fn a_replay_has_one_result() {
    let calls =
        || (0..5_000u64).map(|n| call(n * S / 7, (n * 37 % 11) * S / 10, n % 900 > 700 || n % 13 == 0));
    let json = |report: &Report| serde_json::to_string(report).expect("a report");
    let (first, again) = (play(calls()), play(calls()));
    assert!(first.settings[0].rejected() > 100);
    assert_eq!(json(&first), json(&again));
}

#[test]
fn memory_is_of_the_calls_in_flight() {
    let keys = Keys::new(By::All);
    let mut replay = Replay::new(vec![setting()], None);
    for number in 0..20_000 {
        replay.push(&keys, call(number * S, 3 * S / 2, number % 100 > 60));
    }
    assert!(replay.in_flight.len() <= 3, "{}", replay.in_flight.len());
    assert!(replay.runs.iter().all(|run| run.kept() <= 3));
}
