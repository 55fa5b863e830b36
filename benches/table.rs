//! The results: groups of rows that are compared with each other.

use serde::{Deserialize, Serialize};

use crate::harness::Timing;

/// All results, and the machine they were measured on.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Table {
    pub(crate) machine: String,
    pub(crate) groups: Vec<Group>,
}

/// Rows that are compared with each other.
#[derive(Deserialize, Serialize)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) unit: String,
    /// The references of "x base" and "x limit".
    pub(crate) base: String,
    pub(crate) limit: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(rename = "median")]
    pub(crate) value: f64,
    /// The value reached by the least disturbed quarter of the rounds.
    pub(crate) quarter: Option<f64>,
    /// The minimum of a time, the maximum of a rate.
    pub(crate) best: Option<f64>,
    pub(crate) to_base: Option<f64>,
    pub(crate) to_limit: Option<f64>,
    pub(crate) allocations: Option<f64>,
    /// Locked instructions.
    pub(crate) locked: Option<f64>,
    pub(crate) note: String,
}

impl Group {
    pub(crate) fn new(title: impl Into<String>, unit: &str) -> Group {
        let (base, limit) = (String::new(), String::new());
        Group { title: title.into(), unit: unit.into(), base, limit, rows: Vec::new() }
    }

    /// Nanoseconds per call, relative to two of the timings.
    pub(crate) fn of_timings(title: &str, timings: &[Timing], base: &str, limit: &str) -> Group {
        let find = |name: &str| timings.iter().find(|timing| timing.name == name);
        let rows = timings.iter().map(|timing| Row {
            to_base: find(base).map(|base| timing.ratio(base)),
            to_limit: find(limit).map(|limit| timing.ratio(limit)),
            allocations: Some(timing.allocations),
            ..Row::timed(timing)
        });
        Group::new(title, "ns").against(base).limited_by(limit).with(rows)
    }

    /// The same as millions of calls per second: the inverse of each figure.
    pub(crate) fn of_rates(title: &str, timings: &[Timing], base: &str, limit: &str) -> Group {
        let find = |name: &str| timings.iter().find(|timing| timing.name == name);
        let rate = |nanoseconds: f64| 1e3 / nanoseconds;
        let rows = timings.iter().map(|timing| Row {
            quarter: Some(rate(timing.quarter())),
            best: Some(rate(timing.minimum())),
            to_base: find(base).map(|base| base.ratio(timing)),
            to_limit: find(limit).map(|limit| limit.ratio(timing)),
            ..Row::new(&*timing.name, rate(timing.median()), "")
        });
        Group::new(title, "M calls/s").against(base).limited_by(limit).with(rows)
    }

    pub(crate) fn against(self, base: &str) -> Group {
        Group { base: base.into(), ..self }
    }

    pub(crate) fn limited_by(self, limit: &str) -> Group {
        Group { limit: limit.into(), ..self }
    }

    pub(crate) fn with(self, rows: impl Iterator<Item = Row>) -> Group {
        Group { rows: rows.collect(), ..self }
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

    pub(crate) fn timed(timing: &Timing) -> Row {
        Row {
            quarter: Some(timing.quarter()),
            best: Some(timing.minimum()),
            ..Row::new(&*timing.name, timing.median(), "")
        }
    }

    /// The value that is judged: the least disturbed quarter, if there were rounds.
    pub(crate) fn steady(&self) -> f64 {
        self.quarter.unwrap_or(self.value)
    }
}

impl Table {
    pub(crate) fn push(&mut self, group: Group) {
        self.groups.push(group);
    }

    /// The row with this name in the group whose title has this prefix, if it was measured.
    pub(crate) fn find(&self, title: &str, name: &str) -> Option<&Row> {
        self.group(title)?.rows.iter().find(|row| row.name == name)
    }

    /// The first row named `name` after the row named `above`, if any.
    pub(crate) fn find_below(&self, title: &str, above: &str, name: &str) -> Option<&Row> {
        let rows = self.group(title)?.rows.iter().skip_while(|row| row.name != above);
        rows.skip(1).find(|row| row.name == name)
    }

    fn group(&self, title: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.title.starts_with(title))
    }
}
