//! Arguments of every command that reads logs.

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use halfopen::parse_duration;
use halfopen_lab::{
    By, Call, Field, Format, Keys, Nanos, Options, Setting, Source, SourceOptions, Unit, parse_offset,
};

use super::progress::Progress;

/// The logs, and the meaning of their fields.
#[derive(Args)]
pub(super) struct Logs {
    /// Log files, gzip or not; `-` is the standard input.
    #[arg(required = true)]
    pub(super) logs: Vec<PathBuf>,
    /// The format of all files: nginx, envoy, envoy-json, json, csv or otlp. Detected for each file if absent.
    #[arg(long)]
    format: Option<Format>,
    /// The part of a call that selects its breaker.
    #[arg(long, value_enum, default_value = "upstream")]
    by: ByName,
    /// Answers that took longer are late; `off` if no answer is.
    #[arg(long, default_value = "1s", value_parser = late, allow_hyphen_values = true)]
    pub(super) late: Late,
    /// The zone of times that are written without one, such as +02:00.
    #[arg(long, default_value = "Z", value_parser = zone, allow_hyphen_values = true)]
    zone: i32,
    /// The unit of durations whose name has none.
    #[arg(long, value_enum, default_value = "seconds")]
    unit: UnitName,
    /// Times are those of the starts of calls where their names do not state it.
    #[arg(long)]
    time_is_start: bool,
    /// The field that a name of a JSON or CSV log has: time, start, end, duration, upstream-duration, status,
    /// upstream-status, grpc-status, outcome, upstream, service or route.
    #[arg(long = "field", value_name = "NAME=FIELD", value_parser = field)]
    fields: Vec<(String, Field)>,
    /// The calls of each file that are held back to be put in the order of their starts.
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    reorder: u32,
}

/// The settings that are compared.
#[derive(Args)]
pub(super) struct Settings {
    /// A document of breakers (.yaml, .toml or .json); keys of the log are looked up by their names.
    #[arg(long = "config", value_name = "FILE")]
    configs: Vec<PathBuf>,
    /// A configuration of the library: default, adaptive, aggressive or conservative. Without any setting: default
    /// and adaptive.
    #[arg(long = "preset", value_name = "NAME", value_parser = preset)]
    presets: Vec<Setting>,
}

impl Logs {
    fn open(&self) -> Result<Source, Box<dyn Error>> {
        let parser = Options {
            zone: self.zone,
            unit: self.unit.into(),
            time_is_start: self.time_is_start,
            names: self.fields.iter().cloned().collect::<HashMap<_, _>>(),
        };
        let options = SourceOptions { format: self.format, parser, reorder: self.reorder as usize };
        Ok(Source::open(&self.logs, Keys::new(self.by.into()), &options)?)
    }

    /// Reads all calls, in their order, and returns the source with the account of its lines.
    pub(super) fn read(&self, mut each: impl FnMut(&Keys, Call)) -> Result<Source, Box<dyn Error>> {
        let mut source = self.open()?;
        let mut progress = Progress::new(self.size(), source.bytes_read());
        let result = loop {
            match source.next_call() {
                Ok(Some(call)) => each(source.keys(), call),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            progress.call();
        };
        progress.finish();
        result?;
        Ok(source)
    }

    /// The size of all files in bytes; [`None`] if one has no size.
    fn size(&self) -> Option<u64> {
        let size = |path: &PathBuf| path.metadata().ok().filter(|file| file.is_file()).map(|file| file.len());
        self.logs.iter().map(size).sum()
    }
}

impl Settings {
    pub(super) fn load(&self) -> Result<Vec<Setting>, Box<dyn Error>> {
        let mut settings = self.configs.iter().map(Setting::from_file).collect::<Result<Vec<_>, _>>()?;
        settings.extend(self.presets.iter().cloned());
        if settings.is_empty() {
            settings.extend(["default", "adaptive"].into_iter().filter_map(Setting::preset));
        }
        Ok(settings)
    }
}

/// The duration from which on an answer is late.
#[derive(Clone, Copy)]
pub(super) struct Late(pub(super) Option<Nanos>);

fn late(text: &str) -> Result<Late, String> {
    if text == "off" {
        return Ok(Late(None));
    }
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    Ok(Late(Some(u64::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX))))
}

fn zone(text: &str) -> Result<i32, String> {
    parse_offset(text).ok_or_else(|| "must be Z or an offset such as +02:00, up to 18 hours".to_owned())
}

fn preset(name: &str) -> Result<Setting, String> {
    Setting::preset(name).ok_or_else(|| format!("must be one of: {}", Setting::PRESETS.join(", ")))
}

const FIELDS: &str = "time, start, end, duration, upstream-duration, status, upstream-status, grpc-status, outcome, \
                      upstream, service, route";

fn field(text: &str) -> Result<(String, Field), String> {
    let (name, field) = text.split_once('=').ok_or("must be NAME=FIELD")?;
    let field = match field {
        "time" => Field::Time,
        "start" => Field::Start,
        "end" => Field::End,
        "duration" => Field::Duration,
        "upstream-duration" => Field::UpstreamDuration,
        "status" => Field::Status,
        "upstream-status" => Field::UpstreamStatus,
        "grpc-status" => Field::GrpcStatus,
        "outcome" => Field::Outcome,
        "upstream" => Field::Upstream,
        "service" => Field::Service,
        "route" => Field::Route,
        _ => return Err(format!("`{field}` is no field, must be one of: {FIELDS}")),
    };
    Ok((name.to_owned(), field))
}

#[derive(Clone, Copy, ValueEnum)]
enum ByName {
    /// One breaker for all calls.
    All,
    /// The server or cluster that was called.
    Upstream,
    /// The service or virtual host.
    Service,
    /// The path with its identifiers replaced, or the operation.
    Route,
}

impl From<ByName> for By {
    fn from(name: ByName) -> By {
        match name {
            ByName::All => By::All,
            ByName::Upstream => By::Upstream,
            ByName::Service => By::Service,
            ByName::Route => By::Route,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum UnitName {
    #[value(alias = "s")]
    Seconds,
    #[value(alias = "ms")]
    Milliseconds,
    #[value(alias = "us")]
    Microseconds,
    #[value(alias = "ns")]
    Nanoseconds,
}

impl From<UnitName> for Unit {
    fn from(name: UnitName) -> Unit {
        match name {
            UnitName::Seconds => Unit::Seconds,
            UnitName::Milliseconds => Unit::Milliseconds,
            UnitName::Microseconds => Unit::Microseconds,
            UnitName::Nanoseconds => Unit::Nanoseconds,
        }
    }
}
