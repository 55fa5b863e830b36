//! One table for a person, the same as Markdown and as JSON.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::Timing;

/// All that was measured.
#[derive(Default)]
pub(crate) struct Table {
    groups: Vec<Group>,
}

/// Rows that are compared with each other.
pub(crate) struct Group {
    title: &'static str,
    unit: &'static str,
    /// What "x base" and "x limit" are ratios to.
    base: &'static str,
    limit: &'static str,
    rows: Vec<Row>,
}

#[derive(Clone, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// The minimum of a time, the maximum of a rate.
    pub(crate) best: Option<f64>,
    pub(crate) to_base: Option<f64>,
    pub(crate) to_limit: Option<f64>,
    pub(crate) allocations: Option<f64>,
    pub(crate) note: String,
}

impl Group {
    pub(crate) fn new(title: &'static str, unit: &'static str) -> Group {
        Group { title, unit, base: "", limit: "", rows: Vec::new() }
    }

    /// Nanoseconds per call, against two of the timings.
    pub(crate) fn of_timings(
        title: &'static str,
        timings: &[Timing],
        base: &'static str,
        limit: &'static str,
    ) -> Group {
        let find = |name: &str| timings.iter().find(|timing| timing.name == name);
        let rows = timings.iter().map(|timing| Row {
            name: timing.name.clone(),
            value: timing.median(),
            best: Some(timing.minimum()),
            to_base: find(base).map(|base| timing.ratio(base)),
            to_limit: find(limit).map(|limit| timing.ratio(limit)),
            allocations: Some(timing.allocations),
            note: String::new(),
        });
        Group { title, unit: "ns", base, limit, rows: rows.collect() }
    }

    pub(crate) fn against(self, base: &'static str) -> Group {
        Group { base, ..self }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut()
    }
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, value: f64, note: impl Into<String>) -> Row {
        Row { name: name.into(), value, note: note.into(), ..Row::default() }
    }
}

impl Table {
    pub(crate) fn push(&mut self, group: Group) {
        self.groups.push(group);
    }

    /// The row with this name in the group with this title, if it was measured.
    pub(crate) fn find(&self, title: &str, name: &str) -> Option<&Row> {
        let group = self.groups.iter().find(|group| group.title.starts_with(title))?;
        group.rows.iter().find(|row| row.name == name)
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "| {:<44} | {:>10} | {:>10} | {:>7} | {:>7} | {:>6} | note",
            "", "median", "best", "x base", "x limit", "allocs"
        );
        let _ =
            writeln!(text, "|{:-<46}|{:->11}:|{:->11}:|{:->8}:|{:->8}:|{:->7}:|---", "", "", "", "", "", "");
        for group in &self.groups {
            let heading = format!("**{}**, {}", group.title, group.unit);
            let _ = writeln!(
                text,
                "| {heading:<44} | {:>10} | {:>10} | {:>7} | {:>7} | {:>6} | {}",
                "",
                "",
                "",
                "",
                "",
                group.ratios()
            );
            for row in &group.rows {
                let _ = writeln!(
                    text,
                    "| {:<44} | {:>10} | {:>10} | {:>7} | {:>7} | {:>6} | {}",
                    row.name,
                    number(row.value),
                    row.best.map_or(String::new(), number),
                    ratio(row.to_base),
                    ratio(row.to_limit),
                    row.allocations.map_or(String::new(), |count| format!("{count:.0}")),
                    row.note
                );
            }
        }
        text
    }

    fn json(&self) -> Value {
        let groups = self.groups.iter().map(|group| {
            let rows = group.rows.iter().map(|row| {
                json!({
                    "name": row.name, "median": row.value, "best": row.best, "to_base": row.to_base,
                    "to_limit": row.to_limit, "allocations": row.allocations, "note": row.note,
                })
            });
            json!({
                "title": group.title, "unit": group.unit, "base": group.base, "limit": group.limit,
                "rows": rows.collect::<Vec<_>>(),
            })
        });
        json!({ "groups": groups.collect::<Vec<_>>() })
    }

    /// Writes both forms and says where.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made or written to.
    pub(crate) fn write(&self, into: &Path) -> io::Result<[PathBuf; 2]> {
        fs::create_dir_all(into)?;
        let paths = [into.join("breaker.md"), into.join("breaker.json")];
        fs::write(&paths[0], self.markdown())?;
        fs::write(&paths[1], format!("{:#}\n", self.json()))?;
        Ok(paths)
    }
}

impl Group {
    fn ratios(&self) -> String {
        match (self.base, self.limit) {
            ("", "") => String::new(),
            (base, "") => format!("base: {base}"),
            (base, limit) => format!("base: {base}; limit: {limit}"),
        }
    }
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn ratio(value: Option<f64>) -> String {
    value.map_or(String::new(), |ratio| format!("{ratio:.2}"))
}
