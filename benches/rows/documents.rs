use std::fmt::Write;

use halfopen_config::{Format, Loader};

use crate::harness::{median, timed};
use crate::table::{Group, Row};

const BREAKERS: usize = 1_000;
const ROUNDS: usize = 21;

/// A document of 1,000 breakers, from its text to the configuration of each.
pub(crate) fn group() -> Group {
    let mut group = Group::new("Loading a document of 1,000 breakers, each with a template", "ms");
    for (format, ending) in [(Format::Yaml, "yaml"), (Format::Toml, "toml"), (Format::Json, "json")] {
        let loader = Loader::new().text(format!("breakers.{ending}"), format, document(ending));
        let rounds: Vec<f64> = (0..ROUNDS).map(|_| load(&loader)).collect();
        let best = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        group.push(Row { best: Some(best), ..Row::new(ending, median(rounds), "") });
    }
    group
}

/// Milliseconds one takes.
fn load(loader: &Loader) -> f64 {
    let took = timed(|| {
        let loaded = loader.load().expect("the document is right");
        assert_eq!(loaded.all().count(), BREAKERS, "every breaker is there");
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
                writeln!(text, "  host-{n}: {{ template: external_api, open: {{ duration: {wait}s }} }}")
            }
            "toml" => {
                writeln!(
                    text,
                    "[breakers.host-{n}]\ntemplate = \"external_api\"\nopen.duration = \"{wait}s\""
                )
            }
            _ => {
                let comma = if n + 1 < BREAKERS { "," } else { "}}" };
                let open = format!("{{ \"duration\": \"{wait}s\" }}");
                writeln!(text, "\"host-{n}\": {{ \"template\": \"external_api\", \"open\": {open} }}{comma}")
            }
        };
        written.expect("a string takes all");
    }
    text
}
