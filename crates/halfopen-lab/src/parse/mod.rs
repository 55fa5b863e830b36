//! Parsers of lines: pure functions of a line and the [`Options`].

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::call::LoggedCall;

mod csv;
mod fault;
mod fields;
mod json;
mod otlp;
mod text;
mod time;

use fields::Fields;

pub use fault::LineError;
pub use fields::{Field, Unit};
pub use time::parse_offset;
#[cfg(feature = "html")]
pub(crate) use time::utc;

use csv::Columns;
pub(crate) use csv::{Quotes, Records};

/// The format of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The combined format of nginx, with or without fields after it.
    Nginx,
    /// The default format of Envoy.
    Envoy,
    /// A JSON object per line with the names of Envoy: durations are in milliseconds.
    EnvoyJson,
    /// A JSON object per line, such as nginx writes with `escape=json`.
    Json,
    /// Values that are named by the first line, separated by commas, semicolons or tabs.
    Csv,
    /// An OTLP export request of spans per line.
    Otlp,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 6] =
        [Format::Nginx, Format::Envoy, Format::EnvoyJson, Format::Json, Format::Csv, Format::Otlp];

    /// Returns the name: `nginx`, `envoy`, `envoy-json`, `json`, `csv` or `otlp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Nginx => "nginx",
            Format::Envoy => "envoy",
            Format::EnvoyJson => "envoy-json",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Otlp => "otlp",
        }
    }

    /// Detects the format by a line. Returns [`None`] if the line has no known form.
    pub fn detect(line: &str, options: &Options) -> Option<Format> {
        let line = line.trim();
        let is_call = |fields: Result<Fields<'_>, LineError>| fields.is_ok_and(|it| it.call(options).is_ok());
        if line.starts_with('{') {
            return Some(match line {
                _ if line.contains("\"resourceSpans\"") || line.contains("\"resource_spans\"") => {
                    Format::Otlp
                }
                _ if line.contains("\"response_code\"") || line.contains("\"response_flags\"") => {
                    Format::EnvoyJson
                }
                _ => Format::Json,
            });
        }
        if line.starts_with('[') {
            return is_call(text::envoy(line)).then_some(Format::Envoy);
        }
        if is_call(text::nginx(line, options)) {
            return Some(Format::Nginx);
        }
        Columns::of(line, options).map(|_| Format::Csv)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Format, String> {
        let found = Format::ALL.into_iter().find(|format| format.as_str() == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Format::ALL.into_iter().map(Format::as_str).collect();
            format!("`{name}` is no format, must be one of: {}", names.join(", "))
        })
    }
}

/// Settings of a parser.
#[derive(Clone, Debug)]
pub struct Options {
    /// The offset from UTC, in seconds, of times that are written without one.
    pub zone: i32,
    /// The unit of durations whose name has none, such as `duration`.
    pub unit: Unit,
    /// A time whose name does not state it is that of the start; otherwise that of the end.
    pub time_is_start: bool,
    /// The fields of names, beside the known ones, which they take precedence over.
    pub names: HashMap<String, Field>,
}

impl Default for Options {
    fn default() -> Options {
        Options { zone: 0, unit: Unit::Seconds, time_is_start: false, names: HashMap::new() }
    }
}

impl Options {
    fn field(&self, name: &str) -> Option<Field> {
        // A named field takes the place of the known names for it.
        if self.names.is_empty() {
            return fields::by_name(name);
        }
        let named = self.names.get(name).copied();
        named.or_else(|| {
            fields::by_name(name).filter(|field| !self.names.values().any(|it| it.replaces(*field)))
        })
    }

    /// Returns the field of a name and the unit of its durations, or [`None`] for a name of no field.
    fn known(&self, name: &str) -> Option<(Field, Unit)> {
        let field = self.field(name)?;
        Some((field, fields::unit_of(name).unwrap_or(self.unit)))
    }
}

/// A parser of one log.
#[derive(Clone, Debug)]
pub struct Parser {
    format: Format,
    options: Options,
    /// Of a CSV file whose header has been read.
    columns: Option<Columns>,
}

/// The lines that are no calls, and no errors either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Spans that are not a client's.
    pub spans: u64,
}

impl Parser {
    /// Creates a parser of this format.
    pub fn new(format: Format, mut options: Options) -> Parser {
        if format == Format::EnvoyJson {
            options.unit = Unit::Milliseconds;
        }
        Parser { format, options, columns: None }
    }

    /// Returns the format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the rules by which lines are joined; [`None`] if each line is by itself.
    pub(crate) fn records(&self) -> Option<Records<'_>> {
        (self.format == Format::Csv).then_some(Records { columns: self.columns.as_ref() })
    }

    /// Parses a line, of CSV a record, and calls the function with each of its calls.
    ///
    /// # Errors
    ///
    /// Returns the first field that has another form; none of the calls of such a line is used.
    pub fn line(&mut self, line: &str, each: &mut dyn FnMut(LoggedCall<'_>)) -> Result<Skipped, LineError> {
        let options = &self.options;
        let fields = match self.format {
            Format::Nginx => text::nginx(line, options)?,
            Format::Envoy => text::envoy(line)?,
            Format::EnvoyJson | Format::Json => json::line(line, options)?,
            Format::Otlp => return Ok(Skipped { spans: otlp::line(line, each)? }),
            Format::Csv => match &self.columns {
                Some(columns) => columns.line(line, options)?,
                None => {
                    let columns = Columns::of(line, options);
                    let columns = columns.ok_or_else(|| LineError::line("names no column with a time"))?;
                    self.columns = Some(columns.check()?);
                    return Ok(Skipped::default());
                }
            },
        };
        fields.each_call(options, each)?;
        Ok(Skipped::default())
    }
}

#[cfg(test)]
mod tests;
