//! The table of all breakers.

use std::fmt;

use super::RegistryStatus;
use crate::observe::Snapshot;
use crate::text::{HumanDuration, Percent, Printable};
use crate::word::State;

/// The width of the table if the format string specifies none.
const COLUMNS: usize = 80;

/// The width to which names are cut at most.
const SHORTEST_NAME: usize = 8;

const HEADINGS: [&str; 8] = ["NAME", "STATE", "FOR", "CALLS", "FAILED", "SLOW", "REJECTED", "RETRY IN"];

/// The number of columns with words, which are aligned left; the others hold numbers and are aligned right.
const WORDS: usize = 2;

type Cells = [String; HEADINGS.len()];

impl fmt::Display for RegistryStatus {
    /// Formats a summary and a table with a line for each breaker, for a terminal of 80 columns or of the width
    /// in the format string (`{status:120}`).
    ///
    /// Breakers that reject calls come first, then the half-open ones, then the rest. Long names are cut, and
    /// control and bidirectional characters in them are replaced. The format may change; programs should read the
    /// fields instead.
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
    /// Writes the summary, such as "3 breakers: 2 closed, 1 open".
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

/// Returns the sort key of a line: breakers that need attention come first.
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
        (State::Open, Some(remaining)) => HumanDuration(remaining).to_string(),
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

/// The width of each column, or [`None`] for a column without values, which is left out.
struct Table([Option<usize>; HEADINGS.len()]);

impl Table {
    fn new(rows: &[Cells], columns: usize) -> Table {
        let mut widths = std::array::from_fn(|column| {
            let widest = rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
            (widest > 0).then(|| widest.max(HEADINGS[column].len()))
        });
        // Numbers are never cut: the name gets the rest of the width.
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

/// Cuts a text to this width, with an ellipsis at its end.
fn cut(text: &str, to: usize) -> String {
    if width(text) <= to {
        return text.to_owned();
    }
    text.chars().take(to.saturating_sub(1)).chain(['…']).collect()
}
