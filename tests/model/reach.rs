//! The coverage of the generated histories: they reach every state, reason, end and rejection, and often.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::draw;
use crate::reference::{Queued, Told};

#[test]
fn histories_reach_all_there_is() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..160 {
        let history = draw::history(500).new_tree(&mut runner).expect("a history").current();
        let log = history.play().unwrap_or_else(|why| panic!("{why}"));
        let queued = log.queued.iter().flat_map(queued);
        for what in queued.chain(log.told.iter().map(told)) {
            *seen.entry(what).or_default() += 1;
        }
    }
    let missed: Vec<_> =
        EXPECTED.iter().filter(|what| seen.get(**what).is_none_or(|times| *times < 3)).collect();
    assert!(missed.is_empty(), "hardly ever reached: {missed:?}; seen: {seen:#?}");
}

const EXPECTED: [&str; 46] = [
    "opened by calls in flight",
    "would trip by calls in flight",
    "a ramp begins",
    "rejected: HalfOpenRamp",
    "Closed to Open",
    "Open to HalfOpen",
    "HalfOpen to Open",
    "HalfOpen to Closed",
    "Open to Open",
    "Closed to ForcedOpen",
    "ForcedOpen to Closed",
    "Closed to Disabled",
    "Disabled to Closed",
    "Closed to MetricsOnly",
    "MetricsOnly to Closed",
    "Open to Closed",
    "Closed to Closed",
    "because ConsecutiveFailures",
    "because FailureCount",
    "because FailureRate",
    "because SlowCallRate",
    "because Custom",
    "because ProbeFailed",
    "because ProbeTimedOut",
    "because Manual",
    "for 2 reasons",
    "would trip because ConsecutiveFailures",
    "would trip because FailureCount",
    "would trip because FailureRate",
    "would trip because SlowCallRate",
    "would trip because Custom",
    "reset",
    "new settings",
    "rejected: Open",
    "rejected: HalfOpenSaturated",
    "rejected: ForcedOpen",
    "ended: Success",
    "ended: Failure",
    "ended: Ignored",
    "ended: Abandoned",
    "ended: Late",
    "ended: Success, slow",
    "ended: Failure, slow",
    "a success opens",
    "Open to ForcedOpen",
    "a window rolls",
];

fn queued(queued: &Queued) -> Vec<String> {
    match queued {
        Queued::Changed(change) => {
            let mut seen = vec![format!("{:?} to {:?}", change.from, change.to)];
            seen.extend(change.reasons.iter().map(|reason| format!("because {reason:?}")));
            seen.push(format!("for {} reasons", change.reasons.len()));
            if change.to == crate::reference::State::Open && change.counts.overdue > 0 {
                seen.push("opened by calls in flight".into());
            }
            let by_a_rule =
                change.from == crate::reference::State::Closed && change.counts.consecutive_successes > 0;
            if by_a_rule && change.to == crate::reference::State::Open {
                seen.push("a success opens".into());
            }
            seen
        }
        Queued::WouldTrip { reasons, counts } => {
            let mut seen: Vec<_> =
                reasons.iter().map(|reason| format!("would trip because {reason:?}")).collect();
            seen.extend((counts.overdue > 0).then(|| "would trip by calls in flight".into()));
            seen
        }
        Queued::Ramps => vec!["a ramp begins".into()],
        Queued::Reset => vec!["reset".into()],
        Queued::ConfigChanged => vec!["new settings".into()],
    }
}

fn told(told: &Told) -> String {
    match told {
        Told::Rolled { .. } => "a window rolls".into(),
        Told::Rejected { why, .. } => format!("rejected: {why:?}"),
        Told::Recorded { ended, slow: true, .. } => format!("ended: {ended:?}, slow"),
        Told::Recorded { ended, slow: false, .. } => format!("ended: {ended:?}"),
    }
}
