//! The scores of policies in the sets of scenarios.

use std::collections::BTreeSet;

use serde::Serialize;

use super::run::Maker;
use super::score::{self, Compared};
use super::value::Value;
use super::{Breaker, Policy, Scenario, catalogue, drawn};
use crate::setting::Setting;

/// Facts that no simulation can know, for its reader.
pub const UNKNOWN: [&str; 2] = [
    "Your service: these are models of services, whose failures, latencies and recoveries are drawn from simple laws. \
     A replay of your own log says more about it.",
    "Retries: a rejected call does not come again, and a failed one is not repeated.",
];

/// A set of scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// The scenarios with a name: 24 incidents, and twelve in which every rejection is a loss.
    Catalogue,
    /// One incident each, of any kind, at any rate.
    Random,
    /// Incidents like recorded ones: short, partial and repeated.
    Shaped,
}

/// A table: a row for each figure, a column for each policy.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    /// The set, and the worth of late answers.
    pub title: String,
    /// The name of each figure, and the figure of each policy.
    pub rows: Vec<(String, Vec<f64>)>,
}

impl Set {
    /// Returns the name: `catalogue`, `random` or `shaped`.
    pub fn as_str(self) -> &'static str {
        match self {
            Set::Catalogue => "catalogue",
            Set::Random => "random",
            Set::Shaped => "shaped",
        }
    }

    /// Returns the scenarios. `count` and `seed` are of the drawn sets.
    pub fn scenarios(self, count: usize, seed: u64) -> Vec<Scenario> {
        match self {
            Set::Catalogue => catalogue::scenarios(),
            Set::Random => drawn::random(count, seed),
            Set::Shaped => drawn::shaped(count, seed),
        }
    }

    /// Runs scenarios of this set with each policy and each seed, on all cores, and returns a table for each
    /// [`Value`] of late answers.
    pub fn scores(self, scenarios: &[Scenario], seeds: &[u64], policies: &[&Maker<'_>]) -> Vec<Scores> {
        let results = score::run(scenarios, seeds, policies);
        let table = |value: Value| {
            let worth = match value {
                Value::InTime => "worthless",
                Value::LateToo => "useful",
            };
            let title = format!("{}, late answers {worth}", self.as_str());
            Scores { title, rows: self.rows(scenarios, &results, value, policies.len()) }
        };
        Value::ALL.map(table).into()
    }

    /// The same with a breaker of each setting; a document is asked for the breaker of this name.
    pub fn scores_of(
        self,
        scenarios: &[Scenario],
        seeds: &[u64],
        settings: &[Setting],
        name: &str,
    ) -> Vec<Scores> {
        let maker = |setting: &Setting| -> Box<Maker<'static>> {
            let (setting, name) = (setting.clone(), name.to_owned());
            Box::new(move |seed| Box::new(Breaker::of(&setting, &name, seed)) as Box<dyn Policy>)
        };
        let makers: Vec<_> = settings.iter().map(maker).collect();
        self.scores(scenarios, seeds, &makers.iter().map(|maker| &**maker).collect::<Vec<_>>())
    }

    fn rows(
        self,
        scenarios: &[Scenario],
        results: &[Compared],
        value: Value,
        policies: usize,
    ) -> Vec<(String, Vec<f64>)> {
        let policies = 0..policies;
        match self {
            Set::Catalogue => {
                let scores: Vec<_> =
                    policies.map(|policy| score::catalogue(scenarios, results, value, policy)).collect();
                let calm = scenarios.iter().filter(|scenario| scenario.harmless).count();
                let incidents = scenarios.len() - calm;
                let mut rows = Vec::new();
                if incidents > 0 {
                    rows.push(row(&format!("{incidents} incidents"), &scores, |score| score.incidents));
                }
                if calm > 0 {
                    rows.push(row(&format!("{calm} in which calling is right"), &scores, |score| score.calm));
                }
                for (index, scenario) in scenarios.iter().enumerate() {
                    rows.push(row(&scenario.name, &scores, |score| score.each[index]));
                }
                rows
            }
            Set::Random => {
                let scores: Vec<_> =
                    policies.map(|policy| score::random(scenarios, results, value, policy)).collect();
                let mut rows = vec![
                    row("all kinds", &scores, |score| score.all),
                    row("crashes", &scores, |score| score.crashes),
                ];
                let kinds: BTreeSet<&String> = scores.iter().flat_map(|score| score.kinds.keys()).collect();
                for kind in kinds {
                    rows.push(row(kind, &scores, |score| score.kinds.get(kind).copied().unwrap_or_default()));
                }
                rows
            }
            Set::Shaped => {
                let scores: Vec<_> =
                    policies.map(|policy| score::shaped(scenarios, results, value, policy)).collect();
                vec![
                    row("episodes", &scores, |score| score.episodes),
                    row("slow services", &scores, |score| score.slow),
                    row("calling is right", &scores, |score| score.calm),
                    row("good calls rejected of 1000", &scores, |score| score.good_rejected),
                    row("trips without an incident", &scores, |score| score.false_trips),
                ]
            }
        }
    }
}

/// A row of one figure of each policy.
fn row<T>(name: &str, scores: &[T], figure: impl Fn(&T) -> f64) -> (String, Vec<f64>) {
    (name.to_owned(), scores.iter().map(figure).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_gains_in_an_incident_and_not_without() {
        let mut scenarios = Set::Catalogue.scenarios(0, 0);
        scenarios.retain(|scenario| matches!(&*scenario.name, "outage60" | "brownout20"));
        let settings = [Setting::preset("adaptive").expect("a preset")];
        let tables = Set::Catalogue.scores_of(&scenarios, &[1], &settings, "any");
        assert_eq!(tables.len(), 2);
        let figures: Vec<_> = tables[0].rows.iter().map(|(name, figures)| (&**name, figures[0])).collect();
        let [("1 incidents", incident), ("1 in which calling is right", calm), _, _] = figures[..] else {
            panic!("{figures:?}");
        };
        assert!(incident > 0.8 && calm > 0.8, "{figures:?}");
    }

    #[test]
    fn a_drawn_set_is_a_function_of_its_seed() {
        let names = |seed| {
            let scenarios = Set::Shaped.scenarios(20, seed);
            scenarios.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>()
        };
        assert_eq!(names(1), names(1));
        assert_ne!(names(1), names(2));
    }
}
