//! Reads a document of circuit breakers and prints its errors, each with the place and a suggestion.
//!
//! `cargo run --example check_config --features config -- examples/config/breakers.yaml`
//!
//! With `--explain NAME` it prints the origin of every value of a breaker. The exit status is 0 if the document
//! is valid, 1 if it is not, and 2 if there was nothing to check.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "saying it is what it is for")]

use std::process::ExitCode;

use halfopen_config::{Loader, lint_file, summary};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [file] if !file.starts_with('-') => check(file),
        [file, "--explain", name] => explain(file, name),
        _ => {
            eprintln!("usage: check_config FILE [--explain NAME]");
            ExitCode::from(2)
        }
    }
}

fn check(file: &str) -> ExitCode {
    let problems = lint_file(file);
    for problem in &problems {
        eprintln!("{problem}\n");
    }
    println!("{file}: {}", summary(&problems));
    if problems.iter().any(|problem| problem.is_error()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn explain(file: &str, name: &str) -> ExitCode {
    match Loader::new().file(file).process_variables().load() {
        Ok(configuration) => {
            println!("{}", configuration.explain(name));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
