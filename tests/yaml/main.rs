//! The tree of a YAML document is the same as that of another deserializer on the same parser: values,
//! positions, and the problem with its position.

mod drawn;
mod oracle;
mod texts;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use halfopen_document::{Format, Node, Problem, Source, SourceKind, Span, Value, parse};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 1_000;

#[test]
fn scalars_are_what_the_oracle_reads() {
    for scalar in texts::SCALARS {
        for text in [
            scalar.to_string(),
            format!("a: {scalar}\n"),
            format!("- {scalar}\n- x\n"),
            format!("{{ a: {scalar} }}"),
            format!("[{scalar}, x]"),
            format!("{scalar}: 1\n"),
            format!("? {scalar}\n: 1\n"),
            format!("m: &m {{ {scalar}: 1, {scalar} : 2 }}\nx: {{ {scalar}: 3, <<: *m }}\n"),
            format!("a: &a {scalar}\nb: *a\nc: {{ <<: {{ d: *a }} }}\n"),
        ] {
            check(&text);
        }
    }
}

#[test]
fn tags_are_resolved_as_by_the_oracle() {
    for tag in texts::TAGS {
        for scalar in texts::SCALARS.iter().take(texts::TAGGED).chain(&["[1]", "{ a: 1 }", "*x"]) {
            check(&format!("x: &x 1\na: {tag} {scalar}\nb: 1\n"));
            check(&format!("? {tag} {scalar}\n: 1\n"));
            check(&format!("a: {{ <<: {{ {tag} {scalar}: 1 }}, {scalar}: 2 }}\n"));
        }
        for before in texts::DIRECTIVES {
            check(&format!("{before}---\na: {tag} 12\n"));
        }
    }
}

#[test]
fn documents_are_what_the_oracle_reads() {
    texts::DOCUMENTS.iter().for_each(|text| check(text));
    texts::grown().iter().for_each(|text| same(text));
}

#[test]
fn aliases_are_expanded_as_by_the_oracle() {
    texts::at_the_limit().iter().for_each(|text| same(text));
    texts::many_aliases().iter().for_each(|text| same(text));
}

#[test]
fn files_of_other_tests_are_what_the_oracle_reads() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for folder in ["config", "config/bad", "fuzz/corpus/document_yaml", "fuzz/corpus/config"] {
        for file in fs::read_dir(here.join(folder)).expect("a folder of the checkout") {
            let path = file.expect("readable").path();
            if path.is_file() && path.extension().is_none_or(|end| end == "yaml" || end == "json") {
                check(&String::from_utf8_lossy(&fs::read(&path).expect("readable")));
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "only {seen} files were found");
}

#[test]
fn only_expanded_nodes_are_limited() {
    let aliases = "defaults: &d { a: 1 }\n".to_owned() + &"b: { <<: *d }\n".repeat(4_000);
    let nodes = "- { a: 1 }\n".repeat(100_000);
    for text in [aliases, nodes] {
        let source = Source::new(SourceKind::File, "document.yaml", text);
        assert!(parse(Format::Yaml, &source).is_ok(), "{} bytes", source.text().len());
    }
}

#[test]
fn documents_made_of_values_hold() {
    check_drawn(&drawn::document());
}

#[test]
fn documents_made_of_tokens_hold() {
    check_drawn(&drawn::tokens());
}

#[test]
fn changed_documents_hold() {
    check_drawn(&drawn::changed());
}

fn check_drawn(texts: &impl Strategy<Value = String>) {
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let ran = runner.run(texts, |text| {
        check(&text);
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Checks a text with each form of line break.
fn check(text: &str) {
    same(text);
    if text.contains('\n') {
        same(&text.replace('\n', "\r\n"));
    }
}

fn same(text: &str) {
    let source = Source::new(SourceKind::File, "document.yaml", text);
    let read = parse(Format::Yaml, &source).map_err(|problems| match problems.as_slice() {
        [problem] => problem.clone(),
        others => panic!("{} problems for {text:?}", others.len()),
    });
    assert_eq!(written(&read), written(&oracle::parse(&source)), "{text:?}\n{text}");
}

/// Returns everything that a reader of a tree can observe.
fn written(read: &Result<Node, Problem>) -> String {
    let mut all = String::new();
    match read {
        Ok(root) => write_node(&mut all, root, 0),
        Err(problem) => {
            let span = problem.span().expect("a place");
            write!(all, "{} {}", place(span), kind(problem.message())).expect("a string");
        }
    }
    all
}

/// Returns one word for all messages about tags, which the two readers report differently.
fn kind(message: &str) -> &str {
    const ABOUT_TAGS: [&str; 9] = [
        "a value with this tag cannot be read",
        "the tag `!!float` needs a number",
        "a key must be a word, but has the tag of another type",
        "a list cannot have the tag",
        "a map cannot have the tag",
        "a single value cannot have the tag",
        "invalid floating point",
        "unsupported tag",
        "cannot deserialize tagged scalar into string",
    ];
    let why = message.strip_prefix("this is not YAML: ").expect("the format");
    let about_tags = ABOUT_TAGS.iter().any(|start| why.starts_with(start));
    if about_tags || why.starts_with("!include currently only") { "a tag that does not fit" } else { why }
}

fn write_node(all: &mut String, node: &Node, depth: usize) {
    let indent = "  ".repeat(depth);
    write!(all, "{} ", place(&node.span)).expect("a string");
    match &node.value {
        Value::List(items) => {
            for item in items {
                write!(all, "\n{indent}- ").expect("a string");
                write_node(all, item, depth + 1);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                write!(all, "\n{indent}{} {:?}: ", place(&entry.key_span), entry.key).expect("a string");
                write_node(all, &entry.node, depth + 1);
            }
        }
        plain => write!(all, "{plain:?}").expect("a string"),
    }
}

fn place(span: &Span) -> String {
    format!("{}+{}", span.start(), span.text().len())
}
