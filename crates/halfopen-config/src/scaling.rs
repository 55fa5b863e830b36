//! The cost of loading a document is linear in its length, for invalid documents too.

use std::fmt::Write;

use halfopen_document::work;

use crate::{Format, Loader, Overrides};

/// Returns the number of steps to load a document and to print its problems.
fn steps(loader: &Loader) -> usize {
    work::of(|| loader.load().map_or_else(|error| error.to_string().len(), |loaded| loaded.warnings().len()))
}

fn json(entries: impl Iterator<Item = String>, between: &str) -> String {
    format!("{{{}}}", entries.collect::<Vec<_>>().join(between))
}

fn breakers(count: usize, each: impl Fn(usize) -> String) -> String {
    format!("{{\"breakers\": {}}}", json((0..count).map(each), ",\n"))
}

/// Asserts that twice the document takes hardly more than twice the steps.
#[track_caller]
fn is_linear(loader: impl Fn(usize) -> Loader) {
    let (once, twice) = (steps(&loader(200)), steps(&loader(400)));
    assert!(once > 0, "nothing is counted");
    assert!(twice < once * 5 / 2 + 10_000, "{once} steps, and {twice} for twice the document");
}

fn document(format: Format, text: impl Into<String>) -> Loader {
    Loader::new().text("t", format, text)
}

#[test]
fn unknown_keys_cost_their_number() {
    is_linear(|n| document(Format::Json, json((0..n).map(|n| format!("\"durat{n}\": 1")), ",")));
}

#[test]
fn keys_written_twice_cost_their_number() {
    is_linear(|n| document(Format::Json, breakers(n, |_| "\"a\": {}".into())));
    is_linear(|n| {
        let tables = (0..n).fold(String::new(), |mut text, n| {
            writeln!(text, "[t{n}]\nx = 1\nx = 2").expect("a string takes all");
            text
        });
        document(Format::Toml, tables)
    });
}

#[test]
fn wrong_templates_cost_their_number() {
    is_linear(|n| {
        let templates = json((0..n).map(|n| format!("\"templ{n}\": {{}}")), ",\n");
        let breakers = json((0..n).map(|n| format!("\"b{n}\": {{\"template\": \"temql{n}\"}}")), ",\n");
        document(Format::Json, format!("{{\"templates\": {templates}, \"breakers\": {breakers}}}"))
    });
}

#[test]
fn variables_of_nobody_cost_their_number() {
    is_linear(|n| {
        let variable = |n| (format!("HALFOPEN_PAIMENTS_{n}X__OPEN__DURATION"), "1s".to_owned());
        let loader = document(Format::Json, breakers(n, |n| format!("\"payments-{n}\": {{}}")));
        loader.variables((0..n).map(variable))
    });
}

#[test]
fn names_of_the_program_cost_their_number() {
    is_linear(|n| {
        let loader = document(Format::Json, breakers(n, |n| format!("\"payments-{n}-*\": {{}}")));
        (0..n).fold(loader, |loader, n| loader.set(format!("paiments-{n}"), Overrides::new()))
    });
}
