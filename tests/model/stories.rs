//! Histories with names: former and potential faults.

use crate::history::{Build, History, Step};
use crate::reference::{Abandoned, Finish, Growth, HalfOpen, Rule, Settings, Verdict, Window};

const MS: u64 = 1_000_000;

#[test]
fn a_due_reopening_keeps_its_wait_when_reconfigured() {
    let longer = Settings { open_duration: 50 * MS, ..plain() };
    play(
        &plain(),
        &[
            Step::Trip,
            Step::ToInstant(0),
            Step::Acquire,
            Step::ToInstant(0),
            Step::SetConfig(Box::new(longer), false),
            Step::ToInstant(-1),
            Step::ToInstant(0),
            Step::Acquire,
        ],
    );
}

#[test]
fn an_outcome_makes_both_transitions_that_are_due() {
    play(
        &plain(),
        &[
            Step::Trip,
            Step::ToInstant(0),
            Step::Acquire,
            Step::Advance(1_000 * MS),
            Step::Finish(0, Finish::Success),
            Step::Acquire,
            Step::Finish(0, Finish::Success),
        ],
    );
}

#[test]
fn flapping_through_closed_keeps_the_backoff_growing() {
    let climbing = Settings {
        growth: Growth::Exponential(2.0),
        longest: Some(1_000 * MS),
        forget_after: Some(20 * MS),
        ..plain()
    };
    let flap = [
        Step::Calls(1, Finish::Failure),
        Step::ToInstant(-1),
        Step::ToInstant(0),
        Step::Calls(1, Finish::Success),
    ];
    let mut steps = [flap.clone(), flap.clone(), flap.clone()].concat();
    for forgetting in [20 * MS - 1, 1, 19 * MS, MS, 1_000 * MS] {
        steps.push(Step::Advance(forgetting));
    }
    steps.extend(flap);
    play(&climbing, &steps);
}

#[test]
fn a_tumbling_interval_restarts_idle_runs() {
    let settings =
        Settings { window: Window::Tumbling(5 * MS), rules: vec![Rule::Consecutive(3)], ..plain() };
    play(
        &settings,
        &[
            Step::Calls(2, Finish::Failure),
            Step::Advance(5 * MS - 1),
            Step::Advance(1),
            Step::Calls(2, Finish::Failure),
            Step::Advance(12 * MS),
            Step::Calls(2, Finish::Success),
            Step::Advance(3 * MS),
            Step::Calls(3, Finish::Failure),
        ],
    );
}

#[test]
fn a_run_ended_by_an_interval_does_not_come_back() {
    let tumbling =
        Settings { window: Window::Tumbling(5 * MS), rules: vec![Rule::Consecutive(3)], ..plain() };
    for window in [Window::LastCalls(10), Window::Last { bucket: MS, buckets: 3 }, Window::Tumbling(2 * MS)] {
        for finish in [Finish::Failure, Finish::Success] {
            let other = Settings { window, ..tumbling.clone() };
            let steps = [
                Step::Calls(2, finish),
                Step::Advance(5 * MS),
                Step::SetConfig(Box::new(other), false),
                Step::Calls(1, finish),
            ];
            play(&tumbling, &steps);
        }
    }
}

#[test]
fn a_late_outcome_makes_due_transitions() {
    play(
        &plain(),
        &[
            Step::Acquire,
            Step::Trip,
            Step::ToInstant(0),
            Step::Acquire,
            Step::ToInstant(0),
            Step::Finish(0, Finish::Success),
        ],
    );
}

#[test]
fn a_new_rule_is_evaluated_on_earlier_samples() {
    let rate = Rule::FailureRate { threshold: 0.5, minimum: Some(20) };
    let slow = Rule::SlowRate { threshold: 0.5, slow_after: MS, minimum: Some(20), in_flight: false };
    for window in [
        Window::Last { bucket: MS, buckets: 3 },
        Window::Tumbling(5 * MS),
        Window::Unbounded,
        Window::LastCalls(30),
    ] {
        for rule in [rate, slow] {
            let before = Settings { rules: vec![], window, ..plain() };
            let after = Settings { rules: vec![rule], ..before.clone() };
            let steps = [
                Step::Calls(10, Finish::Failure),
                Step::SetConfig(Box::new(after), false),
                Step::Calls(10, Finish::Success),
            ];
            play(&before, &steps);
        }
    }
}

#[test]
fn a_window_does_not_go_back_with_the_clock() {
    let settings = Settings {
        window: Window::Last { bucket: MS, buckets: 3 },
        rules: vec![Rule::FailureCount(5)],
        ..plain()
    };
    play(
        &settings,
        &[
            Step::Advance(10 * MS),
            Step::Calls(2, Finish::Failure),
            Step::Back(5 * MS),
            Step::Calls(1, Finish::Failure),
            Step::Advance(7 * MS),
            Step::Advance(MS),
            Step::Advance(MS),
        ],
    );
}

#[test]
fn a_new_half_open_policy_strands_no_current_visit() {
    let patient = Settings { half_open: visit(3, 3, 0), ..plain() };
    let strict = Settings { half_open: visit(1, 2, 0), ..plain() };
    play(
        &patient,
        &[
            Step::Trip,
            Step::ToInstant(0),
            Step::Calls(2, Finish::Success),
            Step::SetConfig(Box::new(strict), false),
            Step::Acquire,
            Step::Acquire,
            Step::Finish(0, Finish::Success),
        ],
    );
}

#[test]
fn metrics_only_tells_a_rule_once_until_none_holds() {
    let settings = Settings { rules: vec![Rule::Consecutive(2), Rule::FailureCount(3)], ..plain() };
    play(
        &settings,
        &[
            Step::MetricsOnly,
            Step::Calls(4, Finish::Failure),
            Step::Calls(1, Finish::Success),
            Step::Calls(9, Finish::Success),
            Step::Calls(2, Finish::Failure),
            Step::Trip,
            Step::OpenFor(MS),
            Step::Reset,
        ],
    );
}

#[test]
fn a_configuration_does_not_override_an_operator() {
    let (off, on) = (Step::SetEnabled(false), Step::SetEnabled(true));
    let call = || Step::Calls(1, Finish::Failure);
    play(&plain(), &[on.clone(), call(), off.clone(), off.clone(), call(), on.clone(), call(), on.clone()]);
    for word in [Step::ForceOpen, Step::Disable, Step::MetricsOnly, Step::ForceClosed, Step::Reset] {
        let (word, again) = (|| word.clone(), |step: &Step| step.clone());
        play(&plain(), &[word(), again(&off), call(), again(&on), call()]);
        play(&plain(), &[again(&off), word(), again(&on), call(), Step::Reset, again(&on), call()]);
    }
    // While open, and while a probe is overdue: everything in progress has ended.
    play(&plain(), &[Step::Trip, off.clone(), Step::ToInstant(0), call(), on.clone(), call()]);
    let overdue = [Step::Trip, Step::ToInstant(0), Step::Acquire, Step::Advance(1_000 * MS)];
    play(&plain(), &[overdue.as_slice(), &[off, Step::Trip, Step::OpenFor(MS), on, call()]].concat());
}

fn play(settings: &Settings, steps: &[Step]) {
    for watched in [false, true] {
        let build = Build { settings: settings.clone(), custom: false, watched };
        let history = History { build, steps: steps.to_vec() };
        history.play().unwrap_or_else(|why| panic!("{why}"));
    }
}

fn plain() -> Settings {
    Settings {
        rules: vec![Rule::Consecutive(1)],
        window: Window::LastCalls(10),
        open_duration: 10 * MS,
        growth: Growth::None,
        longest: None,
        jitter: 0.0,
        forget_after: None,
        hint_max: 100 * MS,
        half_open: visit(1, 1, 0),
        abandoned: Abandoned::Ignore,
        time_calls: false,
    }
}

fn visit(max_calls: u32, success_threshold: u32, max_failures: u32) -> HalfOpen {
    HalfOpen {
        max_calls,
        verdict: Verdict::Count { success_threshold, max_failures },
        probe_timeout: 20 * MS,
        ramp: 0,
    }
}
