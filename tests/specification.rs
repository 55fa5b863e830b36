//! Every rule that code and tests refer to exists in the specification.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn each_rule_is_defined_once_and_in_order() {
    for series in SERIES {
        let defined = definitions(&specification(), series);

        let numbers: Vec<u32> = (1..).take(defined.len()).collect();
        assert_eq!(defined, numbers, "SEMANTICS.md defines each rule of {series} once, without a gap");
        assert!(!defined.is_empty(), "no rule of {series} was found in SEMANTICS.md");
    }
}

#[test]
fn every_rule_that_is_mentioned_is_defined() {
    let specification = specification();
    let defined = SERIES.map(|series| BTreeSet::from_iter(definitions(&specification, series)));
    let mut sources = vec![("SEMANTICS.md".to_owned(), specification)];
    for folder in ["crates", "tests"] {
        for file in sources_below(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a source is text");
            sources.push((file.display().to_string(), text));
        }
    }

    let mut found = 0;
    let mut unknown = Vec::new();
    for (file, text) in &sources {
        for (index, line) in text.lines().enumerate() {
            for (series, defined) in SERIES.into_iter().zip(&defined) {
                for rule in mentions(line, series) {
                    found += 1;
                    if !defined.contains(&rule) {
                        unknown.push(format!("{file}:{}: {series}{rule}", index + 1));
                    }
                }
            }
        }
    }
    assert!(unknown.is_empty(), "not in SEMANTICS.md:\n  {}", unknown.join("\n  "));
    assert!(found > 50, "only {found} mentions were found");
}

#[test]
fn a_mention_is_a_letter_and_digits_alone() {
    let line = "(S24), S3 and AS4, S5a, S, S_6; _S7 and S30, A2 and (A12).";
    assert_eq!(mentions(line, 'S'), [24, 3, 30]);
    assert_eq!(mentions(line, 'A'), [2, 12]);
}

/// The rules of every breaker, and those of the adaptive one.
const SERIES: [char; 2] = ['S', 'A'];

fn definitions(specification: &str, series: char) -> Vec<u32> {
    let rule = |line: &str| line.strip_prefix("- **")?.strip_prefix(series)?.split_once("**")?.0.parse().ok();
    specification.lines().filter_map(rule).collect()
}

fn mentions(line: &str, series: char) -> Vec<u32> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter_map(|word| word.strip_prefix(series)?.parse().ok()).collect()
}

fn specification() -> String {
    fs::read_to_string(root().join("crates/halfopen/SEMANTICS.md")).expect("the specification is there")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file in a folder and its subfolders, without build output.
fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(sources_below(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files
}
