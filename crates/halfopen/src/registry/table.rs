//! All breakers in a table.

use std::fmt;

use super::RegistryStatus;
use crate::observe::Snapshot;
use crate::text::{HumanDuration, Percent, Printable};
use crate::word::State;

/// How wide a terminal is if nobody says.
const COLUMNS: usize = 80;

/// Less than this is left of no name.
const SHORTEST_NAME: usize = 8;

const HEADINGS: [&str; 8] = ["NAME", "STATE", "FOR", "CALLS", "FAILED", "SLOW", "REJECTED", "RETRY IN"];

/// The columns whose cells are words; the others hold numbers, which end below each other.
const WORDS: usize = 2;

type Cells = [String; HEADINGS.len()];

impl fmt::Display for RegistryStatus {
    /// A summary and a table with a line for each breaker, for a terminal of 80 columns or of the width
    /// that is asked for (`{status:120}`).
    ///
    /// Those that reject calls come first, then the half-open ones, then the rest. Names that are too
    /// long are cut; control and bidirectional characters in them are replaced. The look may change; programs read the
    /// fields.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Registry;
    ///
    /// let registry = Registry::new();
    /// registry.get_or_create("mail");
    /// registry.get_or_create("payments").force_open();
    ///
    /// let text = registry.status().to_string();
    /// assert!(text.starts_with("2 breakers: 1 closed, 1 forced open\n"));
    /// println!("{text}");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary(f)?;
        if self.breakers.is_empty() {
            return Ok(());
        }
        let mut breakers: Vec<&Snapshot> = self.breakers.iter().collect();
        breakers.sort_by_key(|breaker| urgency(breaker.state));
        let rows: Vec<Cells> = breakers.into_iter().map(cells).collect();
        let table = Table::new(&rows, f.width().unwrap_or(COLUMNS));
        table.row(f, &HEADINGS.map(String::from))?;
        rows.iter().try_for_each(|row| table.row(f, row))
    }
}

impl RegistryStatus {
    /// "3 breakers: 2 closed, 1 open".
    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} breaker{}", self.total, if self.total == 1 { "" } else { "s" })?;
        let mut before = ": ";
        for (count, state) in [
            (self.closed, State::Closed),
            (self.open, State::Open),
            (self.half_open, State::HalfOpen),
            (self.forced_open, State::ForcedOpen),
            (self.disabled, State::Disabled),
            (self.metrics_only, State::MetricsOnly),
        ] {
            if count > 0 {
                write!(f, "{before}{count} {state}")?;
                before = ", ";
            }
        }
        match self.overflowed {
            0 => Ok(()),
            overflowed => write!(f, "; {overflowed} found the registry full"),
        }
    }
}

/// The order of the lines: what a person looks for comes first.
fn urgency(state: State) -> u8 {
    match state {
        State::Open | State::ForcedOpen => 0,
        State::HalfOpen => 1,
        State::Disabled | State::MetricsOnly => 2,
        State::Closed => 3,
    }
}

fn cells(breaker: &Snapshot) -> Cells {
    let counts = &breaker.counts;
    let rate =
        |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!("{}%", Percent(rate * 100.0)));
    let retry = match (breaker.state, breaker.retry_after) {
        (State::Open, Some(left)) => HumanDuration(left).to_string(),
        (State::ForcedOpen, _) => "never".to_owned(),
        (State::Open | State::Closed | State::HalfOpen | State::Disabled | State::MetricsOnly, _) => {
            String::new()
        }
    };
    [
        Printable::new(&breaker.name).whole().to_string(),
        breaker.state.to_string(),
        HumanDuration(breaker.in_state_for).to_string(),
        counts.calls.to_string(),
        rate(counts.failure_rate()),
        rate(counts.slow_call_rate().filter(|&rate| rate > 0.0)),
        breaker.rejected.to_string(),
        retry,
    ]
}

/// How wide each column is; none for one that says nothing.
struct Table([Option<usize>; HEADINGS.len()]);

impl Table {
    fn new(rows: &[Cells], columns: usize) -> Table {
        let mut widths = std::array::from_fn(|column| {
            let widest = rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
            (widest > 0).then(|| widest.max(HEADINGS[column].len()))
        });
        let others: usize = widths[1..].iter().flatten().map(|width| width + 2).sum();
        widths[0] = widths[0].map(|name| name.min(columns.saturating_sub(others).max(SHORTEST_NAME)));
        Table(widths)
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, cells: &Cells) -> fmt::Result {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(self.0).enumerate() {
            let Some(width) = width else { continue };
            let gap = if column == 0 { "" } else { "  " };
            let cell = cut(cell, width);
            line +=
                &if column < WORDS { format!("{gap}{cell:<width$}") } else { format!("{gap}{cell:>width$}") };
        }
        write!(f, "\n{}", line.trim_end())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The beginning and an ellipsis, if it is too long.
fn cut(text: &str, to: usize) -> String {
    if width(text) <= to {
        return text.to_owned();
    }
    text.chars().take(to.saturating_sub(1)).chain(['…']).collect()
}
