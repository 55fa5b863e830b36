//! The calls of several logs in the order of their starts.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::call::{Call, Keys, Nanos};
use crate::lines::{BytesRead, Line, Lines};
use crate::parse::{Format, LineError, Options, Parser};

/// The number of broken lines that are kept to be shown.
const SHOWN: usize = 5;
/// The number of lines in which the format is looked for.
const DETECTED_IN: usize = 20;

/// A line that is no call.
#[derive(Clone, Debug, Serialize)]
pub struct BrokenLine {
    /// The file.
    pub file: String,
    /// The number of the line, from 1; of a record of CSV that of its first.
    pub line: u64,
    /// The field, its value and the form that it must have.
    pub problem: String,
}

impl fmt::Display for BrokenLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

/// The account of all lines: each is a call, or is counted here.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LineCounts {
    /// Lines that are not empty. The lines of a record of CSV count as one.
    pub lines: u64,
    /// Calls.
    pub calls: u64,
    /// Lines with a field that is absent or of another form.
    pub broken: u64,
    /// The first of them.
    pub broken_lines: Vec<BrokenLine>,
    /// Spans that are not a client's.
    pub other_spans: u64,
    /// Calls that began before one that had left the buffer for the order already; they are not replayed.
    pub out_of_order: u64,
    /// Calls whose time is written without a zone.
    pub without_zone: u64,
    /// Calls without a duration, which end when they start.
    pub without_duration: u64,
}

/// An error that ends the reading.
#[derive(Debug)]
pub struct ReadError {
    file: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Io(io::Error, u64),
    UnknownFormat(Option<LineError>),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.problem {
            Problem::Io(error, 0) => write!(f, "{file}: {error}"),
            Problem::Io(error, line) => write!(f, "{file}:{line}: {error}"),
            Problem::UnknownFormat(None) => write!(f, "{file}: has no lines"),
            Problem::UnknownFormat(Some(first)) => {
                let names = Format::ALL.map(Format::as_str).join(", ");
                write!(
                    f,
                    "{file}: no known format in its first lines ({first}); give it with --format, one of: {names}"
                )
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error, _) => Some(error),
            Problem::UnknownFormat(_) => None,
        }
    }
}

/// Settings of a [`Source`].
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// The format of all files, or [`None`] to detect that of each.
    pub format: Option<Format>,
    /// The settings of the parsers.
    pub parser: Options,
    /// The calls of each file that are held back at least to be put in order; up to twice as many are.
    pub reorder: usize,
}

impl Default for SourceOptions {
    fn default() -> SourceOptions {
        SourceOptions { format: None, parser: Options::default(), reorder: 65_536 }
    }
}

/// The calls of several logs, merged in the order of their starts.
#[derive(Debug)]
pub struct Source {
    logs: Vec<Log>,
    keys: Keys,
    counts: LineCounts,
    read: BytesRead,
}

impl Source {
    /// Opens the files; `-` is the standard input.
    ///
    /// # Errors
    ///
    /// Returns the first file that cannot be opened, is empty or has no known format.
    pub fn open<P: AsRef<Path>>(
        files: &[P],
        keys: Keys,
        options: &SourceOptions,
    ) -> Result<Source, ReadError> {
        let read = BytesRead::default();
        let open = |file: &P| Log::open(file.as_ref(), options, &read);
        let logs = files.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Source { logs, keys, counts: LineCounts::default(), read })
    }

    /// Returns the number of bytes that have been read.
    pub fn bytes_read(&self) -> BytesRead {
        self.read.clone()
    }

    /// Returns the names of the breakers of the calls so far.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Returns the account of the lines so far.
    pub fn counts(&self) -> &LineCounts {
        &self.counts
    }

    /// Returns the files and their formats.
    pub fn formats(&self) -> impl Iterator<Item = (&Path, Format)> {
        self.logs.iter().map(|log| (log.file.as_path(), log.parser.format()))
    }

    /// Returns the next call, or [`None`] after the last.
    ///
    /// # Errors
    ///
    /// Returns the file and the line at which it cannot be read further. A line that is no call is no error: it is
    /// [counted](Self::counts).
    pub fn next_call(&mut self) -> Result<Option<Call>, ReadError> {
        for log in &mut self.logs {
            log.fill(&mut self.keys, &mut self.counts)?;
        }
        let first = self.logs.iter_mut().filter(|log| log.order.peek().is_some());
        let Some(log) = first.min_by_key(|log| log.order.peek()) else { return Ok(None) };
        let call = log.order.pop();
        self.counts.calls += 1;
        self.counts.without_duration += u64::from(call.is_some_and(|call| call.took.is_none()));
        Ok(call)
    }
}

/// One file.
#[derive(Debug)]
struct Log {
    file: PathBuf,
    lines: Lines,
    parser: Parser,
    order: Order,
    is_over: bool,
}

impl Log {
    fn open(file: &Path, options: &SourceOptions, read: &BytesRead) -> Result<Log, ReadError> {
        let failed = |problem| ReadError { file: file.to_owned(), problem };
        let io = |error, line| failed(Problem::Io(error, line));
        let mut lines = Lines::open(file, read).map_err(|error| io(error, 0))?;
        let format = match options.format {
            Some(format) => format,
            None => detect(&mut lines, &options.parser).map_err(|error| io(error, 0))?.map_err(failed)?,
        };
        Ok(Log {
            file: file.to_owned(),
            lines,
            parser: Parser::new(format, options.parser.clone()),
            order: Order::new(options.reorder),
            is_over: false,
        })
    }

    /// Reads on until the buffer is full or the file is over.
    fn fill(&mut self, keys: &mut Keys, counts: &mut LineCounts) -> Result<(), ReadError> {
        while !self.is_over && self.order.needs_more() {
            self.read(keys, counts).map_err(|error| ReadError {
                file: self.file.clone(),
                problem: Problem::Io(error, self.lines.number() + 1),
            })?;
        }
        self.order.sort(self.is_over);
        Ok(())
    }

    fn read(&mut self, keys: &mut Keys, counts: &mut LineCounts) -> io::Result<()> {
        let order = &mut self.order;
        let mut parse = |parser: &mut Parser, line: &str, counts: &mut LineCounts| {
            let skipped = parser.line(line, &mut |logged| {
                counts.without_zone += u64::from(!logged.has_zone);
                counts.out_of_order += u64::from(!order.push(keys.call(&logged)));
            })?;
            counts.other_spans += skipped.spans;
            Ok(())
        };
        let line = match self.parser.records() {
            None => self.lines.next()?,
            Some(records) => self.lines.next_record(records)?,
        };
        let result = match line.map(Line::text) {
            None => {
                self.is_over = true;
                return Ok(());
            }
            Some(Ok(line)) if line.trim_ascii().is_empty() => return Ok(()),
            Some(Ok(line)) => parse(&mut self.parser, line, counts),
            Some(Err(error)) => Err(error),
        };
        counts.lines += 1;
        if let Err(error) = result {
            counts.broken += 1;
            if counts.broken_lines.len() < SHOWN {
                let (file, line) = (self.file.display().to_string(), self.lines.number());
                counts.broken_lines.push(BrokenLine { file, line, problem: error.to_string() });
            }
        }
        Ok(())
    }
}

/// Returns the format of the first line that has a known one, or the first line if none has.
fn detect(lines: &mut Lines, options: &Options) -> io::Result<Result<Format, Problem>> {
    let mut shown = None;
    for place in 0..DETECTED_IN {
        let error = match lines.look(place)?.map(Line::text) {
            None => break,
            Some(Err(error)) => error,
            Some(Ok(line)) => match Format::detect(line, options) {
                Some(format) => return Ok(Ok(format)),
                None if line.trim_ascii().is_empty() => continue,
                None => LineError::invalid("line", line, "in one of the formats"),
            },
        };
        shown.get_or_insert_with(|| error.at(place as u64 + 1));
    }
    Ok(Err(Problem::UnknownFormat(shown)))
}

/// A bounded buffer that puts calls in the order of their starts: access logs are in the order of the ends.
///
/// It is sorted when it has twice as many calls as are held back, and then half of them leave. Logs are nearly in order
/// already, which a sort uses and a heap does not.
#[derive(Debug)]
struct Order {
    waiting: Vec<Call>,
    /// In order, and before all that wait.
    ready: VecDeque<Call>,
    most: usize,
    /// The start of the last call that left.
    left: Nanos,
}

impl Order {
    fn new(most: usize) -> Order {
        Order { waiting: Vec::new(), ready: VecDeque::new(), most: most.max(1), left: 0 }
    }

    /// Returns whether more calls are needed before the next one can leave.
    fn needs_more(&self) -> bool {
        self.ready.is_empty() && self.waiting.len() < 2 * self.most
    }

    /// Returns whether the call is in time for its place.
    fn push(&mut self, call: Call) -> bool {
        let is_in_time = call.start >= self.left;
        if is_in_time {
            self.waiting.push(call);
        }
        is_in_time
    }

    /// Sorts the calls, and lets those leave that are not held back; all of them at the end of the file.
    fn sort(&mut self, is_over: bool) {
        if !self.ready.is_empty() {
            return;
        }
        // Stable: calls that start at the same time stay in the order of the log.
        self.waiting.sort_by_key(|call| call.start);
        let leaving = if is_over { self.waiting.len() } else { self.waiting.len().saturating_sub(self.most) };
        self.ready.extend(self.waiting.drain(..leaving));
        // Calls that are read from now on are behind those.
        self.left = self.ready.back().map_or(self.left, |call| call.start);
    }

    /// The start of the next call.
    fn peek(&self) -> Option<Nanos> {
        self.ready.front().map(|call| call.start)
    }

    fn pop(&mut self) -> Option<Call> {
        self.ready.pop_front()
    }
}
