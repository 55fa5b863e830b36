//! Tables of scores, as Markdown and JSON.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;
use simulator::Scores;

use crate::policies::Named;

/// All tables of a run.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: String,
    /// The columns of each table.
    pub(crate) policies: Vec<String>,
    pub(crate) tables: Vec<Scores>,
    pub(crate) targets: Vec<Target>,
}

/// A figure that is asked for.
#[derive(Serialize)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) asked: String,
    pub(crate) found: String,
    pub(crate) reached: bool,
}

impl Report {
    pub(crate) fn new(machine: String, policies: &[Named]) -> Report {
        let policies = policies.iter().map(|policy| policy.name.clone()).collect();
        Report { machine, policies, tables: Vec::new(), targets: Vec::new() }
    }

    /// Returns a figure of a table whose title has this prefix, if it was measured.
    pub(crate) fn figure(&self, title: &str, row: &str, policy: &str) -> Option<f64> {
        let table = self.tables.iter().find(|table| table.title.starts_with(title))?;
        let column = self.policies.iter().position(|name| name == policy)?;
        table.rows.iter().find(|(name, _)| name == row)?.1.get(column).copied()
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.machine);
        for (place, policy) in self.policies.iter().enumerate() {
            let _ = write!(text, "\n{}. {policy}", place + 1);
        }
        text += "\n";
        for table in &self.tables {
            let columns = (1..=self.policies.len()).map(|column| format!(" {column:>8} |"));
            let _ = write!(text, "\n| {:<40} |{}\n|---|", table.title, columns.collect::<String>());
            text += &"--:|".repeat(self.policies.len());
            for (name, figures) in &table.rows {
                let figures: String =
                    figures.iter().map(|figure| format!(" {:>8} |", number(*figure))).collect();
                let _ = write!(text, "\n| {name:<40} |{figures}");
            }
            text += "\n";
        }
        text += "\n| what it must show | asked | found | |\n|---|---|---|---|\n";
        for target in &self.targets {
            let verdict = if target.reached { "reached" } else { "MISSED" };
            let _ = writeln!(text, "| {} | {} | {} | {verdict} |", target.what, target.asked, target.found);
        }
        text
    }

    /// Writes both forms and returns their paths.
    pub(crate) fn write(&self, into: &Path) -> io::Result<[PathBuf; 2]> {
        fs::create_dir_all(into)?;
        let paths = [into.join("simulator.md"), into.join("simulator.json")];
        fs::write(&paths[0], self.markdown())?;
        fs::write(&paths[1], format!("{}\n", serde_json::to_string_pretty(self)?))?;
        Ok(paths)
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() >= 2.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
