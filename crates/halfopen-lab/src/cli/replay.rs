//! `halfopen-lab replay`.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use halfopen::adapter::Printable;
use halfopen_lab::{LineCounts, Report, Source, UNKNOWN};
use serde::Serialize;

use super::arguments::{Logs, Settings};

#[derive(Args)]
pub(super) struct Replay {
    #[command(flatten)]
    logs: Logs,
    #[command(flatten)]
    settings: Settings,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// Writes the report as a page of HTML with plots, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Json<'a> {
    logs: Vec<LogFile>,
    breakers: &'a [String],
    lines: &'a LineCounts,
    #[serde(flatten)]
    report: &'a Report,
    unknown: [&'static str; UNKNOWN.len()],
}

#[derive(Serialize)]
struct LogFile {
    file: String,
    format: &'static str,
}

impl Replay {
    pub(super) fn run(&self) -> Result<(), Box<dyn Error>> {
        let settings = self.settings.load()?;
        let mut replay = halfopen_lab::Replay::new(settings, self.logs.late.0);
        let source = self.logs.read(|keys, call| replay.push(keys, call))?;
        let report = replay.finish();
        if report.log.calls == 0 {
            let broken = source.counts().broken_lines.first().map(|line| format!("; {line}"));
            return Err(format!("the logs have no calls{}", broken.unwrap_or_default()).into());
        }
        if let Some(file) = &self.html {
            write_html(file, &source, &report).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        let mut out = io::stdout().lock();
        if self.json {
            write_json(&mut out, &source, &report)?;
        } else {
            write_text(&mut out, &source, &report)?;
        }
        Ok(out.flush()?)
    }
}

fn write_json(out: &mut impl Write, source: &Source, report: &Report) -> io::Result<()> {
    let logs = source
        .formats()
        .map(|(file, format)| LogFile { file: file.display().to_string(), format: format.as_str() });
    let json = Json {
        logs: logs.collect(),
        breakers: source.keys().names(),
        lines: source.counts(),
        report,
        unknown: UNKNOWN,
    };
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)
}

fn write_html(file: &Path, source: &Source, report: &Report) -> io::Result<()> {
    let mut account = Vec::new();
    write_account(&mut account, source)?;
    let mut page = Vec::new();
    report.write_html(&String::from_utf8_lossy(&account), &mut page)?;
    fs::write(file, page)
}

fn write_text(out: &mut impl Write, source: &Source, report: &Report) -> io::Result<()> {
    write_account(out, source)?;
    write!(out, "{report}")?;
    writeln!(out, "\nA replay does not know:")?;
    UNKNOWN.iter().try_for_each(|line| writeln!(out, "- {line}"))
}

/// Writes what was read.
fn write_account(out: &mut impl Write, source: &Source) -> io::Result<()> {
    for (file, format) in source.formats() {
        writeln!(out, "{}: {format}", file.display())?;
    }
    write_lines(out, source.counts())?;
    let names = source.keys().names();
    // Names are text of the log, which a terminal could take for commands.
    let shown = |name: &String| Printable::new(name).escaped().to_string();
    let some: Vec<_> = names.iter().take(5).map(shown).collect();
    let more = if names.len() > some.len() { ", .." } else { "" };
    writeln!(out, "breakers: {} ({}{more})", names.len(), some.join(", "))?;
    if source.keys().overflowing() > 0 {
        writeln!(out, "{} calls of further breakers share one", source.keys().overflowing())?;
    }
    Ok(())
}

/// Writes the account of the lines that are not replayed as they were.
fn write_lines(out: &mut impl Write, counts: &LineCounts) -> io::Result<()> {
    if counts.broken > 0 {
        writeln!(out, "{} of {} lines are broken and not replayed:", counts.broken, counts.lines)?;
        for line in &counts.broken_lines {
            writeln!(out, "  {line}")?;
        }
        let more = counts.broken - counts.broken_lines.len() as u64;
        if more > 0 {
            writeln!(out, "  and {more} more")?;
        }
    }
    if counts.out_of_order > 0 {
        let calls = counts.out_of_order;
        writeln!(
            out,
            "{calls} calls are too far out of order and not replayed; --reorder holds more calls back"
        )?;
        if counts.without_zone > 0 {
            writeln!(out, "times without a zone go back an hour when daylight saving time ends")?;
        }
    }
    if counts.without_zone > 0 {
        let calls = counts.without_zone;
        writeln!(out, "{calls} times have no zone, and are read in that of --zone, which is UTC if absent")?;
    }
    if counts.other_spans > 0 {
        writeln!(out, "{} spans are not of a client, and no calls", counts.other_spans)?;
    }
    if counts.without_duration > 0 {
        let calls = counts.without_duration;
        writeln!(
            out,
            "{calls} calls have no duration: they end when they start, are never late, and save no wait"
        )?;
    }
    Ok(())
}
