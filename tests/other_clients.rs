//! The guide's page "With other clients" quotes the recipes that `tests/other-clients` runs, with their versions.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;

const PAGE: &str = include_str!("../crates/halfopen/src/guide/with_other_clients.md");
const LOCK: &str = include_str!("other-clients/Cargo.lock");
const RECIPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/other-clients/recipes");

#[test]
fn the_page_quotes_every_recipe_whole() {
    let quoted: BTreeSet<String> = PAGE
        .split("```rust,ignore\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect();
    assert_eq!(quoted, recipes(), "a code block of the page is one of the files in {RECIPES}");
}

#[test]
fn the_page_names_the_versions_that_are_tested() {
    let rows: Vec<(&str, &str)> = PAGE.lines().filter_map(recipe_of_row).collect();
    assert_eq!(rows.len(), recipes().len(), "a row of the table for each recipe: {rows:?}");
    for (name, version) in rows {
        let locked = format!("name = \"{name}\"\nversion = \"{version}.");
        assert!(LOCK.contains(&locked), "{name} {version} is not what is tested");
    }
}

fn recipes() -> BTreeSet<String> {
    let files = fs::read_dir(RECIPES).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| !file.ends_with("lib.rs")).map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// Returns the crate and the version of a row that links to its recipe: `| [kube](#kube) 5.0 | ..`.
fn recipe_of_row(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("| [")?.split_once("](#")?;
    let version = rest.split_once(") ")?.1.split([' ', ',']).next()?;
    Some(if name == "AWS SDK" { ("aws-sdk-sqs", version) } else { (name, version) })
}
