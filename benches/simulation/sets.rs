//! The scores in each set of scenarios.

use std::collections::BTreeSet;

use simulator::run::Maker;
use simulator::value::Value;
use simulator::{Scenario, catalogue as named, drawn, score};

use crate::policies::Named;
use crate::report::{Report, Scores};

/// The title of a table; late answers count or not.
fn title(set: &str, value: Value) -> String {
    match value {
        Value::InTime => format!("{set}, late answers worthless"),
        Value::LateToo => format!("{set}, late answers useful"),
    }
}

fn run(scenarios: &[Scenario], seeds: &[u64], policies: &[Named]) -> Vec<score::Compared> {
    let makers: Vec<&Maker<'_>> = policies.iter().map(|policy| &*policy.make).collect();
    score::run(scenarios, seeds, &makers)
}

/// A row of one figure of each policy.
fn row<T>(name: &str, scores: &[T], figure: impl Fn(&T) -> f64) -> (String, Vec<f64>) {
    (name.into(), scores.iter().map(figure).collect())
}

pub(crate) fn catalogue(report: &mut Report, policies: &[Named], seeds: u64) {
    let scenarios = named::scenarios();
    let seeds: Vec<u64> = (1..=seeds).collect();
    let results = run(&scenarios, &seeds, policies);
    for value in Value::ALL {
        let scores: Vec<_> =
            (0..policies.len()).map(|policy| score::catalogue(&scenarios, &results, value, policy)).collect();
        let mut rows = vec![
            row("24 incidents", &scores, |score| score.incidents),
            row("12 in which calling is right", &scores, |score| score.calm),
        ];
        for (index, scenario) in scenarios.iter().enumerate() {
            rows.push(row(&scenario.name, &scores, |score| score.each[index]));
        }
        report.tables.push(Scores { title: title("catalogue", value), rows });
    }
}

pub(crate) fn random(report: &mut Report, policies: &[Named], count: usize, seed: u64) {
    let scenarios = drawn::random(count, seed);
    let results = run(&scenarios, &[1], policies);
    for value in Value::ALL {
        let scores: Vec<_> =
            (0..policies.len()).map(|policy| score::random(&scenarios, &results, value, policy)).collect();
        let mut rows = vec![
            row("all kinds", &scores, |score| score.all),
            row("crashes", &scores, |score| score.crashes),
        ];
        let kinds: BTreeSet<&String> = scores.iter().flat_map(|score| score.kinds.keys()).collect();
        for kind in kinds {
            rows.push(row(kind, &scores, |score| score.kinds.get(kind).copied().unwrap_or_default()));
        }
        report.tables.push(Scores { title: title("random", value), rows });
    }
}

pub(crate) fn shaped(report: &mut Report, policies: &[Named], count: usize, seed: u64) {
    let scenarios = drawn::shaped(count, seed);
    let results = run(&scenarios, &[1], policies);
    for value in Value::ALL {
        let scores: Vec<_> =
            (0..policies.len()).map(|policy| score::shaped(&scenarios, &results, value, policy)).collect();
        let rows = vec![
            row("episodes", &scores, |score| score.episodes),
            row("slow services", &scores, |score| score.slow),
            row("calling is right", &scores, |score| score.calm),
            row("good calls rejected of 1000", &scores, |score| score.good_rejected),
            row("trips without an incident", &scores, |score| score.false_trips),
        ];
        report.tables.push(Scores { title: title("shaped", value), rows });
    }
}
