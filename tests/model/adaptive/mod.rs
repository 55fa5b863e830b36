//! Random histories of an adaptive breaker against a plain model (rules A1 to A13).

mod draw;
mod model;
mod world;

use halfopen::{Ended, RampReason, State, TripReason};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

use draw::{History, plain};
use model::{Finish, Told};
use world::Step;

#[test]
fn any_adaptive_history_goes_as_the_model_says() {
    let mut runner = TestRunner::new(Config {
        cases: crate::number("HALFOPEN_MODEL_CASES").map_or(200, |cases| cases as u32),
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("model/regressions.txt"))),
        ..Config::default()
    });
    let steps = crate::number("HALFOPEN_MODEL_STEPS").unwrap_or(150);
    let played = runner.run(&draw::history(steps), |history: History| {
        history.play().map(|_| ()).map_err(TestCaseError::fail)
    });
    if let Err(failure) = played {
        panic!("{failure}");
    }
}

/// Histories that never open, ramp or close would compare nothing.
#[test]
fn adaptive_histories_reach_every_decision() {
    let mut runner = TestRunner::deterministic();
    let mut told = Vec::new();
    for _ in 0..60 {
        let history = draw::history(150).new_tree(&mut runner).expect("no value is filtered").current();
        told.extend(history.play().expect("breaker and model agree").log);
    }
    let opened = |reason: TripReason| {
        told.iter().any(|told| {
            matches!(told, Told::Changed { to: State::Open, reasons, .. } if reasons.contains(&reason))
        })
    };
    for reason in [TripReason::Evidence, TripReason::Throttled, TripReason::Manual, TripReason::ProbeFailed] {
        assert!(opened(reason), "{reason:?} opened none");
    }
    for wanted in [RampReason::ProbesPassed, RampReason::HoldOver, RampReason::Slow, RampReason::Throttled] {
        let begins = |told: &Told| matches!(told, Told::Ramp { reason, .. } if *reason == wanted);
        assert!(told.iter().any(begins), "{wanted:?} began no ramp");
    }
    let closes = |told: &Told| matches!(told, Told::Changed { from: State::HalfOpen, to: State::Closed, reasons } if reasons.is_empty());
    assert!(told.iter().any(closes), "no ramp closed");
    assert!(told.iter().any(|told| matches!(told, Told::WouldTrip(_))), "nothing would have opened");
}

fn calls(times: u32, took: u64, gap: u64, finish: Finish) -> Step {
    Step::Calls { times, took, gap, finish }
}

/// Bad calls open it, and good probes begin a ramp that rejects some calls.
fn until_a_ramp() -> Vec<Step> {
    let (good, bad) = (plain(Ended::Success), plain(Ended::Failure));
    vec![calls(19, 50, 0, good), calls(19, 5, 1, bad), calls(19, 50, 0, bad), calls(20, 5, 0, good)]
}

#[test]
fn rejections_are_counted_on_when_a_ramp_begins() {
    let mut steps = until_a_ramp();
    steps.extend([calls(12, 0, 1, plain(Ended::Success)), calls(14, 0, 200, plain(Ended::Failure))]);
    steps.extend([Step::Acquire, calls(7, 50, 20, plain(Ended::Success))]);
    History::of(steps).play().expect("the state does not change");
}

#[test]
fn throttled_calls_begin_a_ramp_of_its_own() {
    let throttled = Finish { throttled: true, ..plain(Ended::Failure) };
    let (good, bad) = (plain(Ended::Success), plain(Ended::Failure));
    let steps = vec![calls(5, 0, 0, throttled), calls(9, 50, 0, good), calls(15, 60, 0, bad)];
    History::of(steps).play().expect("it began well, and the opening is a relapse");
}

#[test]
fn a_probe_in_flight_is_no_wait_to_end() {
    let mut steps = vec![calls(20, 400, 0, plain(Ended::Failure))];
    steps.extend([Step::Advance(300), Step::Acquire, Step::EndWait]);
    History::of(steps).play().expect("the control has no effect in half-open");
}

#[test]
fn other_numbers_hold_for_calls_in_flight() {
    let mut steps = vec![calls(30, 50, 3_000, plain(Ended::Success)), Step::Acquire, Step::Advance(900)];
    steps.extend([Step::SetConfig(None), Step::SetConfig(Some(draw::PLAIN))]);
    steps.push(Step::Finish(0, plain(Ended::Success)));
    History::of(steps).play().expect("nothing is learned, and no answer too late");
}
