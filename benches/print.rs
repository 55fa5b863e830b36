//! Prints one table as text, Markdown and JSON.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::table::{Group, Row, Table};

const HEADINGS: [&str; 8] = ["median", "quarter", "best", "x base", "x limit", "allocs", "locked", "note"];

impl Table {
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.machine);
        line(&mut text, "", &HEADINGS.map(String::from));
        text += "|---|--:|--:|--:|--:|--:|--:|--:|---|\n";
        for group in &self.groups {
            let mut cells: [String; 8] = Default::default();
            cells[7] = group.ratios();
            line(&mut text, &format!("**{}**, {}", group.title, group.unit), &cells);
            for row in &group.rows {
                line(&mut text, &row.name, &row.cells());
            }
        }
        text
    }

    /// Writes both forms under this name and returns their paths.
    ///
    /// # Errors
    ///
    /// If the directory cannot be created or written to.
    pub(crate) fn write(&self, into: &Path, name: &str) -> io::Result<[PathBuf; 2]> {
        fs::create_dir_all(into)?;
        let paths = [into.join(format!("{name}.md")), into.join(format!("{name}.json"))];
        fs::write(&paths[0], self.markdown())?;
        fs::write(&paths[1], format!("{}\n", serde_json::to_string_pretty(self)?))?;
        Ok(paths)
    }
}

impl Group {
    fn ratios(&self) -> String {
        match (&*self.base, &*self.limit) {
            ("", "") => String::new(),
            (base, "") => format!("base: {base}"),
            ("", limit) => format!("limit: {limit}"),
            (base, limit) => format!("base: {base}; limit: {limit}"),
        }
    }
}

impl Row {
    fn cells(&self) -> [String; 8] {
        let or_empty = |value: Option<f64>, form: fn(f64) -> String| value.map_or(String::new(), form);
        [
            number(self.value),
            or_empty(self.quarter, number),
            or_empty(self.best, number),
            or_empty(self.to_base, |ratio| format!("{ratio:.2}")),
            or_empty(self.to_limit, |ratio| format!("{ratio:.2}")),
            or_empty(self.allocations, |count| format!("{count:.0}")),
            or_empty(self.locked, |count| format!("{count:.1}")),
            self.note.clone(),
        ]
    }
}

fn line(
    text: &mut String,
    name: &str,
    [median, quarter, best, base, limit, allocs, locked, note]: &[String; 8],
) {
    let _ = writeln!(
        text,
        "| {name:<46} | {median:>8} | {quarter:>8} | {best:>8} | {base:>7} | {limit:>7} | {allocs:>6} | {locked:>6} | {note} |"
    );
}

/// Three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        nothing if nothing < 0.005 => "0.00".into(),
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
