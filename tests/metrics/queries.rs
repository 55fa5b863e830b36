use std::collections::BTreeSet;

use crate::page::{Page, Sample};

/// The labels that Prometheus adds to every series it scrapes.
const SCRAPED: [&str; 2] = ["job", "instance"];

/// The parts of a PromQL expression that refer to our metrics.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Query {
    pub(crate) selectors: Vec<Selector>,
    /// The labels that it groups by, which are the labels of its result.
    pub(crate) groups: BTreeSet<String>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Label and value, regardless of the operator between them.
    pub(crate) matchers: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Query {
        let mut query = Query::default();
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
            rest = &rest[start..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            if word.starts_with("circuit_breaker_") {
                let braces = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
                let matchers = braces.map(|(inner, _)| parse_matchers(inner)).unwrap_or_default();
                rest = braces.map_or(after, |(_, rest)| rest);
                query.selectors.push(Selector { metric: word.to_owned(), matchers });
            } else if word == "by" {
                let (labels, after) =
                    after.trim_start().strip_prefix('(').and_then(|inner| inner.split_once(')')).unwrap();
                query.groups.extend(labels.split(',').map(|label| label.trim().to_owned()));
                rest = after;
            }
        }
        query
    }

    /// The parts of the query that are missing on the page.
    pub(crate) fn missing_on(&self, page: &Page) -> Vec<String> {
        let mut missing = Vec::new();
        for Selector { metric, matchers } in &self.selectors {
            let series: Vec<_> = page.samples.iter().filter(|sample| sample.name == *metric).collect();
            if series.is_empty() {
                missing.push(format!("the metric {metric}"));
                continue;
            }
            let asked = matchers.iter().map(|(label, _)| label).chain(&self.groups);
            for label in asked.filter(|label| !has_label(&series, label)) {
                missing.push(format!("the label {label} of {metric}"));
            }
            for (label, value) in matchers.iter().filter(|(label, value)| !has_value(&series, label, value)) {
                missing.push(format!("the value {value} of {label} of {metric}"));
            }
        }
        missing
    }
}

fn parse_matchers(text: &str) -> Vec<(String, String)> {
    let mut matchers = Vec::new();
    let mut rest = text;
    while let Some((label, after)) = rest.split_once(['=', '!']) {
        let (_, quoted) = after.split_once('"').expect("a value is quoted");
        let (value, after) = quoted.split_once('"').expect("and the quotes are closed");
        matchers.push((label.trim().to_owned(), value.to_owned()));
        rest = after.trim_start_matches([',', ' ']);
    }
    matchers
}

fn has_label(series: &[&Sample], label: &str) -> bool {
    SCRAPED.contains(&label) || series.iter().any(|sample| sample.labels.contains_key(label))
}

/// Whether every alternative of a value is present; the value of a variable is unknown.
fn has_value(series: &[&Sample], label: &str, value: &str) -> bool {
    value.starts_with('$')
        || value.split('|').all(|alternative| {
            let part = alternative.trim_start_matches(".*").trim_end_matches(".*");
            let fits = |is: &String| if part == alternative { is == part } else { is.contains(part) };
            series.iter().any(|sample| sample.labels.get(label).is_some_and(fits))
        })
}

#[test]
fn a_query_is_taken_apart() {
    let query = Query::parse(
        r#"sum by (job, a) (rate(circuit_breaker_x_total{a="b", c=~"d|.*e.*"}[5m])) / circuit_breaker_y > 0.1"#,
    );
    let [x, y] = query.selectors.as_slice() else { panic!("{query:?}") };
    assert_eq!((x.metric.as_str(), y.metric.as_str()), ("circuit_breaker_x_total", "circuit_breaker_y"));
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(x.matchers, [pair("a", "b"), pair("c", "d|.*e.*")]);
    assert_eq!(query.groups, BTreeSet::from(["job".to_owned(), "a".to_owned()]));
}

#[test]
fn what_is_not_there_is_missed() {
    let page = Page::parse("circuit_breaker_x{a=\"b\"} 1\n");
    let missing = |text| Query::parse(text).missing_on(&page).join("; ");
    assert_eq!(missing(r#"sum by (job) (circuit_breaker_x{a="b"})"#), "");
    assert_eq!(missing("circuit_breaker_y"), "the metric circuit_breaker_y");
    assert_eq!(missing("sum by (c) (circuit_breaker_x)"), "the label c of circuit_breaker_x");
    assert_eq!(missing(r#"circuit_breaker_x{a=~"b|c"}"#), "the value b|c of a of circuit_breaker_x");
    assert_eq!(missing(r#"circuit_breaker_x{a=~".*b.*"}"#), "");
}
