use std::fmt::Write;

use halfopen_config::{Format, Loader};
use halfopen_document::{Source, SourceKind, parse};

use crate::harness::{median, timed};
use crate::table::{Group, Row};

const BREAKERS: usize = 1_000;
const ROUNDS: usize = 21;

/// A document of 1,000 breakers, from its text to the configuration of each.
pub(crate) fn group() -> Group {
    let mut group = Group::new("Loading a document of 1,000 breakers, each with a template", "ms");
    for (format, ending) in [(Format::Yaml, "yaml"), (Format::Toml, "toml"), (Format::Json, "json")] {
        let loader = Loader::new().text(format!("breakers.{ending}"), format, document(ending));
        let rounds: Vec<f64> = (0..ROUNDS).map(|_| load(&loader, BREAKERS)).collect();
        let best = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        group.push(Row { best: Some(best), ..Row::new(ending, median(rounds), "") });
    }
    group
}

const MANY: usize = 32_000;
const FEW_ROUNDS: usize = 5;

/// A document of 32,000 breakers with one value each, and the share of the time that its parser takes.
pub(crate) fn large() -> Group {
    let mut group = Group::new("Loading a document of 32,000 breakers, each with one value", "ms");
    for (format, ending) in [(Format::Yaml, "yaml"), (Format::Toml, "toml"), (Format::Json, "json")] {
        let text = many(format);
        let loader = Loader::new().text(format!("breakers.{ending}"), format, text.clone());
        let source = Source::new(SourceKind::File, "breakers", text);
        let parsed = (0..FEW_ROUNDS).map(|_| {
            let took = timed(|| assert!(parse(format, &source).is_ok(), "the document is right"));
            took.as_nanos() as f64 / 1e6
        });
        let parsed = median(parsed.collect());
        let rounds: Vec<f64> = (0..FEW_ROUNDS).map(|_| load(&loader, MANY)).collect();
        let best = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let note = format!("{parsed:.0} ms of it the tree");
        group.push(Row { best: Some(best), ..Row::new(ending, median(rounds), note) });
    }
    group
}

fn many(format: Format) -> String {
    let entries = (0..MANY).map(|n| match format {
        Format::Yaml => format!("  b{n}: {{ open: {{ duration: 3s }} }}\n"),
        Format::Toml => format!("[breakers.b{n}]\nopen.duration = \"3s\"\n"),
        Format::Json => {
            let comma = if n == 0 { "" } else { "," };
            format!("{comma}\n\"b{n}\": {{ \"open\": {{ \"duration\": \"3s\" }} }}")
        }
    });
    let entries: String = entries.collect();
    match format {
        Format::Yaml => format!("breakers:\n{entries}"),
        Format::Toml => entries,
        Format::Json => format!("{{ \"breakers\": {{{entries}}} }}"),
    }
}

/// Milliseconds per iteration.
fn load(loader: &Loader, breakers: usize) -> f64 {
    let took = timed(|| {
        let loaded = loader.load().expect("the document is right");
        assert_eq!(loaded.all().count(), breakers, "every breaker is there");
    });
    took.as_nanos() as f64 / 1e6
}

fn document(ending: &str) -> String {
    let mut text = String::from(match ending {
        "yaml" => "breakers:\n",
        "toml" => "",
        _ => "{ \"breakers\": {\n",
    });
    for n in 0..BREAKERS {
        let wait = n % 50 + 1;
        let written = match ending {
            "yaml" => {
                writeln!(text, "  host-{n}: {{ template: database, open: {{ duration: {wait}s }} }}")
            }
            "toml" => {
                writeln!(text, "[breakers.host-{n}]\ntemplate = \"database\"\nopen.duration = \"{wait}s\"")
            }
            _ => {
                let comma = if n + 1 < BREAKERS { "," } else { "}}" };
                let open = format!("{{ \"duration\": \"{wait}s\" }}");
                writeln!(text, "\"host-{n}\": {{ \"template\": \"database\", \"open\": {open} }}{comma}")
            }
        };
        written.expect("a string takes all");
    }
    text
}
