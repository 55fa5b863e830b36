//! Every message in full, next to its document.
//!
//! `UPDATE_GOLDEN=1 cargo test -p tests --test config` stores the current messages; review the difference.

use std::fs;
use std::path::{Path, PathBuf};

use halfopen_config::{Format, lint, lint_file, summary};

fn documents() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/bad");
    let files =
        fs::read_dir(folder).expect("a folder of the checkout").map(|file| file.expect("readable").path());
    let mut documents: Vec<_> = files.filter(|path| Format::of_path(path).is_some()).collect();
    documents.sort();
    documents
}

#[test]
fn every_bad_document_has_these_messages() {
    let documents = documents();
    assert!(documents.len() >= 6, "{documents:?}");
    for path in documents {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let problems = lint(name, Format::of_path(&path).unwrap(), &text);
        let told: String = problems.iter().map(|problem| format!("{problem}\n\n")).collect();
        let told = format!("{told}{}\n", summary(&problems));
        let golden = path.with_file_name(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &told).unwrap();
        }
        assert_eq!(told, fs::read_to_string(&golden).unwrap(), "{name}");
    }
}

#[test]
fn a_file_that_is_not_text_is_shown_at_that_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("latin.yaml");
    fs::write(&path, b"breakers:\n  caf\xe9: {}\n").unwrap();
    let [problem] = &lint_file(&path)[..] else { panic!("one problem") };
    assert!(problem.message().ends_with("latin.yaml` cannot be read: is not UTF-8 in line 2"), "{problem}");
    let place = problem.span().expect("a place in the file");
    assert_eq!((place.line(), place.column()), (2, 6));
}
