//! Grafana's requirements on a dashboard, as far as they can be checked without Grafana.

use std::collections::BTreeSet;

use halfopen_metrics::names;
use serde_json::Value;

use crate::dashboards::{dashboard, objects_with, text};
use crate::outage::scraped;

/// The panels that Grafana has without a plugin; the dashboard consists of these.
const PANELS: [&str; 5] = ["bargauge", "row", "stat", "state-timeline", "timeseries"];

/// Units by their names in Grafana.
const UNITS: [&str; 3] = ["percentunit", "reqps", "s"];

/// The number of columns of Grafana's grid.
const COLUMNS: u64 = 24;

#[test]
fn the_dashboard_has_a_name_and_a_version() {
    let dashboard = dashboard();
    assert!(!text(&dashboard, "title").is_empty());
    assert!((1..=40).contains(&text(&dashboard, "uid").len()), "a uid has at most 40 characters");
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36, "data sources are named by uid since then");
    assert!(dashboard["id"].is_null(), "the id of somebody's database");
}

#[test]
fn no_panel_has_the_id_or_the_place_of_another() {
    let dashboard = dashboard();
    let panels = panels(&dashboard);
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = text(panel, "title");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title} has the id of another panel");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{title} is outside of the grid");
        for cell in (y..y + h).flat_map(|row| (x..x + w).map(move |column| (row, column))) {
            assert!(taken.insert(cell), "{title} lies over another panel");
        }
    }
}

#[test]
fn every_panel_exists_in_grafana_with_a_description() {
    let dashboard = dashboard();
    for panel in panels(&dashboard) {
        let (title, kind) = (text(panel, "title"), text(panel, "type"));
        assert!(!title.is_empty() && PANELS.contains(&kind), "{title} is a {kind}");
        let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(targets.is_empty(), kind == "row", "{title}");
        let letters: BTreeSet<_> = targets.iter().map(|target| text(target, "refId")).collect();
        assert_eq!(letters.len(), targets.len(), "two queries of {title} have one refId");
        let unit = &panel["fieldConfig"]["defaults"]["unit"];
        assert!(unit.is_null() || UNITS.contains(&unit.as_str().unwrap()), "{title} is in {unit}");
    }
}

#[test]
fn every_number_has_the_unit_that_its_metric_is_in() {
    let dashboard = dashboard();
    for panel in panels(&dashboard) {
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
        for target in objects_with(&panel["targets"], "expr") {
            let query = text(target, "expr");
            let expected = match query {
                _ if query.contains("_seconds") => "s",
                _ if query.contains("_ratio") || query.contains("_probability") || query.contains(" / ") => {
                    "percentunit"
                }
                _ if query.contains("rate(") && (query.contains("calls") || query.contains("shadow")) => {
                    "reqps"
                }
                _ => "",
            };
            assert_eq!(unit, expected, "{query}");
        }
    }
}

#[test]
fn every_query_uses_the_selected_data_source() {
    let dashboard = dashboard();
    let asking = objects_with(&dashboard, "expr").into_iter().chain(objects_with(&dashboard, "targets"));
    for question in asking.chain(objects_with(&dashboard, "definition")) {
        let source = &question["datasource"];
        assert_eq!(
            (text(source, "type"), text(source, "uid")),
            ("prometheus", "${datasource}"),
            "{question}"
        );
    }
    let sources: Vec<_> = variables(&dashboard).filter(|one| text(one, "type") == "datasource").collect();
    assert_eq!(sources.len(), 1);
    assert_eq!((text(sources[0], "name"), text(sources[0], "query")), ("datasource", "prometheus"));
}

#[test]
fn every_variable_that_is_asked_for_is_there() {
    let dashboard = dashboard();
    let there: BTreeSet<_> = variables(&dashboard).map(|one| text(one, "name")).collect();
    let queries = objects_with(&dashboard, "expr").into_iter().map(|target| text(target, "expr"));
    let definitions = variables(&dashboard).map(|one| text(one, "definition"));
    for query in queries.chain(definitions) {
        for asked in query.split('$').skip(1) {
            let end = asked.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(asked.len());
            let built_in = ["__rate_interval", "__range"].contains(&&asked[..end]);
            assert!(built_in || there.contains(&asked[..end]), "${} in {query}", &asked[..end]);
        }
    }
}

#[test]
fn the_state_timeline_names_each_code_as_its_state() {
    let dashboard = dashboard();
    let timeline = panels(&dashboard).iter().find(|panel| text(panel, "type") == "state-timeline").unwrap();
    let words = &timeline["fieldConfig"]["defaults"]["mappings"][0]["options"];
    let mut told = BTreeSet::new();
    for sample in scraped().samples.iter().filter(|one| one.name == names::STATE && one.value == 1.0) {
        let code = scraped().value(names::STATE_CODE, &[("breaker", &sample.labels["breaker"])]).unwrap();
        let word = text(&words[code.to_string()], "text");
        assert_eq!(word.replace(['-', ' '], "_"), sample.labels["state"]);
        told.insert(word);
    }
    assert_eq!(told.len(), words.as_object().unwrap().len(), "a state was not on the page: {told:?}");
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

fn variables(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["templating"]["list"].as_array().unwrap().iter()
}
