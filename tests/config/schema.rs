//! The checked-in JSON Schema is current, and accepts the documents that the library accepts.
//!
//! After a change of a key, run this test once with `UPDATE_GENERATED=1`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use boon::{Compiler, SchemaIndex, Schemas};
use halfopen_config::{Format, lint, schema};
use serde_json::Value;

const CRATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/halfopen-config");
const CHECKED_IN: &str = "halfopen.schema.json";

struct Checker {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Checker {
    fn new() -> Checker {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let schema = serde_json::from_str(&schema()).expect("a schema is JSON");
        compiler.add_resource(CHECKED_IN, schema).expect("a name that is no address yet");
        let index = compiler.compile(CHECKED_IN, &mut schemas).expect("a valid schema of draft 07");
        Checker { schemas, index }
    }

    /// Returns why a document does not match.
    fn misfit(&self, format: Format, text: &str) -> Option<String> {
        let document = value(format, text);
        self.schemas.validate(&document, self.index).err().map(|error| format!("{error:#}"))
    }

    fn assert_fits(&self, name: &str, format: Format, text: &str) {
        let misfit = self.misfit(format, text);
        assert!(misfit.is_none(), "{name}: {}", misfit.unwrap_or_default());
    }
}

fn value(format: Format, text: &str) -> Value {
    match format {
        Format::Yaml => serde_saphyr::from_str(text).expect("YAML"),
        Format::Toml => toml::from_str(text).expect("TOML"),
        Format::Json => serde_json::from_str(text).expect("JSON"),
    }
}

/// The documents in a folder.
fn documents(folder: impl AsRef<Path>) -> Vec<(PathBuf, Format, String)> {
    let files = fs::read_dir(folder).expect("a folder of the checkout");
    let paths = files.map(|file| file.expect("readable").path());
    let known = paths.filter_map(|path| Some((Format::of_path(&path)?, path)));
    known.map(|(format, path)| (path.clone(), format, fs::read_to_string(path).expect("readable"))).collect()
}

#[test]
fn the_checked_in_schema_is_current() {
    let path = Path::new(CRATE).join(CHECKED_IN);
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, schema()).expect("the checkout is ours");
    }
    let current = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        current == schema(),
        "{CHECKED_IN} is not what the types give: run `UPDATE_GENERATED=1 cargo test -p tests --test config-schema`"
    );
}

#[test]
fn every_document_of_the_checkout_fits() {
    let checker = Checker::new();
    let folders = [
        Path::new(CRATE).join("templates"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("config"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/config"),
    ];
    for folder in folders {
        let found = documents(&folder);
        assert!(!found.is_empty(), "{}", folder.display());
        for (path, format, text) in found {
            checker.assert_fits(&path.display().to_string(), format, &text);
        }
    }
}

#[test]
fn every_example_of_the_readme_fits() {
    let checker = Checker::new();
    let readme = fs::read_to_string(Path::new(CRATE).join("README.md")).expect("readable");
    let blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<&str> = blocks.collect();
    assert!(!blocks.is_empty());
    blocks.iter().for_each(|block| checker.assert_fits("README.md", Format::Yaml, block));
}

#[test]
fn what_the_library_takes_fits() {
    let checker = Checker::new();
    let taken = [
        "{}",
        "defaults:\nbreakers:\n  payments:\n",
        "breakers: { payments: { open: , trip: , window: , metadata: } }",
        "breakers: { db-*: { window: unbounded, trip: [{ failure_count: 3 }, { failure_count: 9 }] } }",
        "name: payments\ntimeout: 30\nx-mine: [1]\n$schema: halfopen.schema.json\n",
        "breakers: { a: { trip: { failure_rate: off, consecutive_failures: 3 }, abandoned: { failure_after: 1 m 30 s } } }",
        "breakers: { a: { classify: { http: { failures: [503, 5xx, 400-404] }, grpc: { ignored: [CANCELLED] } } } }",
        "breakers: { a: { classify: { grpc: { failures: [unavailable, DataLoss, deadline-exceeded, Out_Of_Range] } } } }",
        "breakers: { a: { metadata: { version: 1.10, owner: team-a, notes: { since: 2024 } } } }",
        "breakers: { a: { bulkhead_config: { queue_timeout: 0.5 }, health_check_config: { health_check_interval: 1m } } }",
        "templates: { mine: { extends: database, open_duration: 3s } }",
    ];
    for text in taken {
        assert!(!lint("taken.yaml", Format::Yaml, text).iter().any(|problem| problem.is_error()), "{text}");
        checker.assert_fits(text, Format::Yaml, text);
    }
}

#[test]
fn what_the_library_refuses_by_its_form_does_not_fit() {
    let checker = Checker::new();
    let refused = [
        "",
        "[]",
        "breaker: {}",
        "breakers: { a: { window: { unbounded: false } } }",
        "breakers: { a: { classify: { grpc: { failures: [UN_AVAILABLE] } } } }",
        "breakers: { a: { classify: { grpc: { failures: [14] } } } }",
        "breakers: { a: { open: { duration: 30 } } }",
        "breakers: { a: { open: { duration: } } }",
        "breakers: { a: { metadata: { notes: } } }",
        "breakers: { a: { trip: { failure_rate: } } }",
        "breakers: { a: { open: { duration: 30 seconds } } }",
        "breakers: { a: { opens: { duration: 30s } } }",
        "breakers: { a: { failure_threshhold: 3 } }",
        "breakers: { a: { trip: { failure_rate: { threshold: 50 } } } }",
        "breakers: { a: { trip: [{ failure_count: 3, consecutive_failures: 3 }] } }",
        "breakers: { a: { window: boundless } }",
        "breakers: { 'a*b': {} }",
        "breakers: { a: { extends: database } }",
        "breakers: { a: { classify: { http: { failures: [600] } } } }",
        "breakers: { a: { classify: { grpc: { failures: [OK] } } } }",
        "breakers: { a: { circuit_type: count } }",
        "breakers: { a: { abandoned: never } }",
        "name: payments\nbreakers: {}\n",
    ];
    for text in refused {
        assert!(lint("refused.yaml", Format::Yaml, text).iter().any(|problem| problem.is_error()), "{text}");
        assert!(checker.misfit(Format::Yaml, text).is_some(), "{text}");
    }
}
