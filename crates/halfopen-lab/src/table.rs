//! Reports as text.

use std::fmt;

use crate::replay::{Compared, Credit, Durations, LogReport, Report, SettingReport};

pub(crate) const HEADER: [&str; 9] = [
    "setting",
    "bad avoided",
    "good lost",
    "net",
    "detection",
    "missed",
    "false trips",
    "recovery",
    "wait saved",
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", summary(self))?;
        for credit in credits(&self.log) {
            writeln!(f, "\n{}.\n", title(*credit, self.log.late))?;
            let rows = self.settings.iter().map(|setting| row(setting, setting.compared(*credit)));
            write_table(f, &rows.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// The calls of the log in a line.
pub(crate) fn summary(report: &Report) -> String {
    let log = &report.log;
    format!(
        "{} {} in {}: {} good, {} late, {} bad, {} abandoned or ignored",
        thousands(log.calls),
        if log.calls == 1 { "call" } else { "calls" },
        span(log.lasted as f64 / 1e9),
        thousands(log.good),
        thousands(log.late),
        thousands(log.bad),
        thousands(log.unknown),
    )
}

/// The comparisons that differ: without late answers both are the same.
pub(crate) fn credits(log: &LogReport) -> &'static [Credit] {
    if log.late > 0 { &Credit::ALL } else { &Credit::ALL[1..] }
}

pub(crate) fn title(credit: Credit, late: u64) -> &'static str {
    match (credit, late) {
        (Credit::InTime, _) => "Without credit for late answers: they are as bad as failures",
        (Credit::LateToo, 0) => "No answer was late",
        (Credit::LateToo, _) => "With credit for late answers: they are as good as others",
    }
}

pub(crate) fn row(setting: &SettingReport, compared: &Compared) -> [String; 9] {
    let detected = &compared.detected;
    [
        setting.name.clone(),
        format!("{} of {}", thousands(compared.bad_avoided), thousands(compared.bad)),
        format!("{} of {}", thousands(compared.good_lost), thousands(compared.good)),
        format!("{:+}", compared.gain()),
        durations(&detected.detection),
        format!("{} of {}", detected.missed, detected.incidents),
        thousands(detected.false_trips),
        durations(&detected.recovery),
        span(compared.wait_saved),
    ]
}

fn write_table(f: &mut fmt::Formatter<'_>, rows: &[[String; 9]]) -> fmt::Result {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADER[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 9] = std::array::from_fn(width);
    let mut line = |cells: [&str; 9]| {
        let cells = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        });
        writeln!(f, "{}", cells.collect::<String>().trim_end())
    };
    line(HEADER)?;
    rows.iter().try_for_each(|row| line(std::array::from_fn(|column| row[column].as_str())))
}

/// The mean, and the longest if there is another.
fn durations(durations: &Durations) -> String {
    match durations.mean() {
        None => "-".to_owned(),
        Some(mean) if durations.count == 1 => span(mean),
        Some(mean) => format!("{} (max {})", span(mean), span(durations.longest)),
    }
}

/// `0.25 s`, `12.5 s`, `3 min`, `2.5 h`.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

/// A number with separators of thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_spans_have_units() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.25, 12.5, 600.0, 9000.0].map(span), ["0.25 s", "12.5 s", "10.0 min", "2.5 h"]);
    }
}
