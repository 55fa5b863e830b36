use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use boon::{Compiler, Schemas};
use serde_json::{Value, json};
use test_support::server::program;

use crate::outage::scraped;
use crate::queries::Query;

#[test]
fn a_real_page_has_everything_the_dashboard_queries() {
    let asked = queries();
    assert!(asked.len() >= 20, "only {} queries were found", asked.len());
    check(&asked, "{{", "}}");
}

#[test]
fn everything_the_rules_ask_for_is_on_a_real_page() {
    let asked = rules();
    assert!(asked.len() >= 10, "only {} rules were found", asked.len());
    check(&asked, "{{ $labels.", " }}");
}

#[test]
fn the_dashboard_is_filtered_by_existing_labels() {
    let dashboard = dashboard();
    let variables = objects_with(&dashboard, "definition");
    assert_eq!(variables.len(), 2);
    for variable in variables {
        // `label_values(metric, label)` requires a label, as a grouping does.
        let query = text(variable, "definition");
        let (metric, label) =
            query.trim_start_matches("label_values(").trim_end_matches(')').rsplit_once(", ").unwrap();
        let asks = Query { groups: BTreeSet::from([label.to_owned()]), ..Query::parse(metric) };
        assert_eq!(asks.missing_on(scraped()), [] as [String; 0], "{query}");
    }
}

/// What the schema has against a dashboard.
fn complaint(dashboard: &Value) -> Option<String> {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/metrics/grafana.schema.json");
    let index = compiler.compile(schema, &mut schemas).unwrap();
    schemas.validate(dashboard, index).err().map(|error| error.to_string())
}

#[test]
fn the_dashboard_has_only_fields_of_grafana() {
    assert_eq!(complaint(&dashboard()), None);
}

#[test]
fn the_schema_of_dashboards_refuses_mistakes() {
    let changes: [(&str, Value); 7] = [
        ("/templating/list/0/current", json!({})),
        ("/panels/0/type", json!("graph")),
        ("/panels/1/targets/0/refId", json!("first")),
        ("/panels/1/gridPos/w", json!(25)),
        ("/panels/1/options/colorMood", json!("value")),
        ("/panels/1/datasource/uid", json!("prometheus-1")),
        ("/schemaVersion", json!(38)),
    ];
    for (path, value) in changes {
        let mut changed = dashboard();
        let (parent, field) = path.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[field] = value;
        assert!(complaint(&changed).is_some(), "{path} is wrong");
    }
}

#[test]
fn panels_have_ids_and_places_of_their_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut taken = BTreeSet::new();
    for panel in panels {
        let place = |field: &str| panel["gridPos"][field].as_u64().unwrap();
        let right = place("x") + place("w");
        assert!(right <= 24, "{} is wider than the dashboard", panel["title"]);
        for (x, y) in
            (place("x")..right).flat_map(|x| (place("y")..place("y") + place("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert((x, y)), "{} covers another panel", panel["title"]);
        }
    }
}

#[test]
fn every_metric_is_shown_somewhere() {
    let asked = queries().into_iter().chain(rules());
    let selectors = asked.flat_map(|asked| Query::parse(&asked.expression).selectors);
    let shown: BTreeSet<_> = selectors.map(|selector| selector.metric).collect();
    let missed: Vec<_> = scraped().samples.iter().filter(|sample| !shown.contains(&sample.name)).collect();
    assert!(missed.is_empty(), "no panel and no rule uses {missed:?}");
}

#[test]
fn promtool_accepts_the_rules() {
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts.test.yml"]);
}

#[test]
fn promtool_parses_every_query_of_the_dashboard() {
    let rule = |(n, asked): (usize, Asked)| {
        let variables = [("$__rate_interval", "5m"), ("$__range", "1h"), ("$job", "a"), ("$breaker", "b")];
        let expression = variables.iter().fold(asked.expression, |text, (name, is)| text.replace(name, is));
        json!({ "record": format!("query:{n}"), "expr": expression })
    };
    let rules: Vec<_> = queries().into_iter().enumerate().map(rule).collect();
    // JSON is YAML.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ "groups": [{ "name": "queries", "rules": rules }] }).to_string())
        .unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()]);
}

/// Runs promtool in the folder of the rules.
fn promtool(arguments: &[&str]) {
    let Some(program) = program("promtool") else { return };
    let output = Command::new(program).args(arguments).current_dir(folder()).output().unwrap();
    assert!(
        output.status.success(),
        "promtool {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An expression, and the text that quotes labels of its result.
struct Asked {
    expression: String,
    text: String,
}

pub(crate) fn dashboard() -> Value {
    serde_json::from_str(&read("grafana.json")).unwrap()
}

fn queries() -> Vec<Asked> {
    let texts = ["legendFormat", "titleFormat", "textFormat"];
    let asked = |target: &&Value| Asked {
        expression: text(target, "expr").to_owned(),
        text: texts.map(|name| text(target, name)).join(" "),
    };
    objects_with(&dashboard(), "expr").iter().map(asked).collect()
}

fn rules() -> Vec<Asked> {
    let asked = |rule: &str| {
        let expression = rule.lines().find_map(|line| line.trim().strip_prefix("expr: "));
        let expression = expression.expect("a rule has its expression on one line").to_owned();
        Asked { expression, text: rule.to_owned() }
    };
    read("alerts.yml").split("- alert:").skip(1).map(asked).collect()
}

fn check(asked: &[Asked], open: &str, close: &str) {
    for Asked { expression, text } in asked {
        let query = Query::parse(expression);
        assert!(!query.selectors.is_empty(), "nothing of ours in {expression}");
        assert_eq!(query.missing_on(scraped()), [] as [String; 0], "{expression}");
        for label in quoted(text, open, close) {
            assert!(query.groups.contains(label), "{label} is told and not grouped by: {expression}");
        }
    }
}

fn quoted<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open).skip(1).filter_map(|rest| rest.split(close).next()).collect()
}

/// Every object of a document that has this field.
pub(crate) fn objects_with<'a>(value: &'a Value, field: &str) -> Vec<&'a Value> {
    match value {
        Value::Object(fields) => {
            let inner = fields.values().flat_map(|value| objects_with(value, field));
            let this = fields.contains_key(field).then_some(value);
            this.into_iter().chain(inner).collect()
        }
        Value::Array(values) => values.iter().flat_map(|value| objects_with(value, field)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/halfopen-metrics/dashboards")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap()
}
