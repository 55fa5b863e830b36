//! The lines of a log: a file, gzip or not, read in bounded memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::parse::{LineError, Quotes, Records};

/// The longest line in bytes: an export request of OTLP has thousands of spans.
pub(crate) const LONGEST: usize = 8 << 20;
/// The most lines that are added to the first of a record: a trace of a stack has hundreds.
const MOST_JOINED: usize = 1_000;

/// The number of bytes that have been read from files, compressed or not.
#[derive(Clone, Debug, Default)]
pub struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// Returns the number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A line, or the reason why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Text(&'a str),
    /// Bytes that are not UTF-8.
    NotUnicode,
    /// More than [`LONGEST`] bytes, which have been skipped.
    TooLong,
}

impl<'a> Line<'a> {
    /// Returns the text, or why there is none.
    pub(crate) fn text(self) -> Result<&'a str, LineError> {
        match self {
            Line::Text(text) => Ok(text),
            Line::NotUnicode => Err(LineError::line("is not UTF-8")),
            Line::TooLong => Err(LineError::line(format_args!("is longer than {LONGEST} bytes"))),
        }
    }
}

/// Reads lines into a buffer that it keeps.
pub(crate) struct Lines {
    input: Box<dyn BufRead + Send>,
    current: Bytes,
    /// Lines that were read and are still to come.
    ahead: VecDeque<Bytes>,
    /// The number of the current line, and that of the lines of the current record.
    number: u64,
    count: u64,
    /// No line has been read.
    is_first: bool,
}

/// The bytes of a line without its end.
#[derive(Debug, Default)]
struct Bytes {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Lines {
    /// Opens a file; `-` is the standard input. Gzip is detected by its first bytes.
    pub(crate) fn open(path: &Path, read: &BytesRead) -> io::Result<Lines> {
        let bytes = Arc::clone(&read.0);
        if path == Path::new("-") {
            return Lines::of(Counted { inner: io::stdin(), bytes });
        }
        if path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
        }
        Lines::of(Counted { inner: File::open(path)?, bytes })
    }

    pub(crate) fn of(mut input: impl Read + Send + 'static) -> io::Result<Lines> {
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        // A pipe may return a single byte, so the beginning is read before it is compared.
        let mut beginning = Vec::new();
        input.by_ref().take(GZIP.len() as u64).read_to_end(&mut beginning)?;
        let is_gzip = beginning == GZIP;
        let input = BufReader::with_capacity(1 << 16, io::Cursor::new(beginning).chain(input));
        let input: Box<dyn BufRead + Send> = if is_gzip {
            Box::new(BufReader::with_capacity(1 << 16, Gzip(MultiGzDecoder::new(input))))
        } else {
            Box::new(input)
        };
        Ok(Lines {
            input,
            current: Bytes::default(),
            ahead: VecDeque::new(),
            number: 0,
            count: 1,
            is_first: true,
        })
    }

    /// Returns the number of the last line, from 1; of a record that of its first.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the next line without its end, or [`None`] after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        Ok(self.advance()?.then(|| self.current.line()))
    }

    /// Returns the next record of a CSV file, or [`None`] after the last: a line, or several of which a quoted value has the
    /// ends.
    ///
    /// A quote that closes nowhere, or where no value ends, is one too many: its line is returned by itself, and the
    /// lines after it are read again.
    pub(crate) fn next_record(&mut self, records: Records<'_>) -> io::Result<Option<Line<'_>>> {
        if !self.advance()? {
            return Ok(None);
        }
        let quotes = records.begin(&self.current.bytes);
        if quotes.is_open() && !self.current.is_too_long {
            self.join(records, quotes)?;
        }
        Ok(Some(self.current.line()))
    }

    /// Returns the line that comes so many lines after the next, which stays to come; [`None`] after the last.
    pub(crate) fn look(&mut self, place: usize) -> io::Result<Option<Line<'_>>> {
        Ok(self.peek(place)?.map(Bytes::line))
    }

    fn peek(&mut self, place: usize) -> io::Result<Option<&Bytes>> {
        while self.ahead.len() <= place {
            let mut bytes = Bytes::default();
            if !self.read(&mut bytes)? {
                return Ok(None);
            }
            self.ahead.push_back(bytes);
        }
        Ok(self.ahead.get(place))
    }

    /// Makes the next line the current one. Returns whether there is one.
    fn advance(&mut self) -> io::Result<bool> {
        let is_some = match self.ahead.pop_front() {
            Some(bytes) => {
                self.current = bytes;
                true
            }
            None => {
                let mut current = mem::take(&mut self.current);
                let is_some = self.read(&mut current);
                self.current = current;
                is_some?
            }
        };
        if is_some {
            self.number += mem::replace(&mut self.count, 1);
        }
        Ok(is_some)
    }

    /// Adds the lines of the current record, whose first one ends in quotes.
    #[cold]
    fn join(&mut self, records: Records<'_>, mut quotes: Quotes) -> io::Result<()> {
        let mut record = self.current.bytes.clone();
        let mut count = 0;
        let is_one = loop {
            let Some(Bytes { bytes, is_too_long }) = self.peek(count)? else { break false };
            if *is_too_long || record.len() + bytes.len() >= LONGEST || count == MOST_JOINED {
                break false;
            }
            record.push(b'\n');
            record.extend_from_slice(bytes);
            quotes.read(bytes);
            count += 1;
            if !quotes.is_open() || quotes.is_stray {
                break records.is_one(&record, quotes);
            }
        };
        if is_one {
            self.ahead.drain(..count);
            self.current.bytes = record;
            self.count += count as u64;
        }
        Ok(())
    }

    /// Reads a line of the input. Returns whether there is one.
    fn read(&mut self, line: &mut Bytes) -> io::Result<bool> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        line.bytes.clear();
        let most = LONGEST as u64 + 1;
        if self.input.by_ref().take(most).read_until(b'\n', &mut line.bytes)? == 0 {
            return Ok(false);
        }
        line.is_too_long = line.bytes.len() > LONGEST && line.bytes.last() != Some(&b'\n');
        if line.is_too_long {
            self.input.skip_until(b'\n')?;
        }
        while let Some(b'\n' | b'\r') = line.bytes.last() {
            line.bytes.pop();
        }
        // The mark of the encoding, which editors of other systems write.
        if mem::take(&mut self.is_first) && line.bytes.starts_with(MARK) {
            line.bytes.drain(..MARK.len());
        }
        Ok(true)
    }
}

impl Bytes {
    fn line(&self) -> Line<'_> {
        if self.is_too_long {
            return Line::TooLong;
        }
        str::from_utf8(&self.bytes).map_or(Line::NotUnicode, Line::Text)
    }
}

/// Names the format in errors, which otherwise state a stream that is cut, or a header that no file of text has.
struct Gzip<R>(MultiGzDecoder<R>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            io::Error::new(error.kind(), format!("the gzip is cut, or other bytes follow it: {error}"))
        })
    }
}

struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn all(bytes: Vec<u8>) -> io::Result<Vec<String>> {
        let mut lines = Lines::of(io::Cursor::new(bytes))?;
        let mut all = Vec::new();
        while let Some(line) = lines.next()? {
            all.push(match line {
                Line::Text(text) => text.to_owned(),
                other => format!("{other:?}"),
            });
        }
        Ok(all)
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory is written");
        encoder.finish().expect("memory is written")
    }

    #[test]
    fn gzip_is_read_as_its_text() {
        let mut bytes = packed("a\r\nb\n");
        bytes.extend(packed("c"));
        assert_eq!(all(bytes).expect("valid"), ["a", "b", "c"], "with all its members");
    }

    /// Returns one byte per read, as a pipe may.
    struct Dripping(io::Cursor<Vec<u8>>);

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    #[test]
    fn gzip_is_detected_by_reads_of_one_byte() {
        let mut lines = Lines::of(Dripping(io::Cursor::new(packed("a\n")))).expect("valid");
        assert_eq!(lines.next().expect("valid"), Some(Line::Text("a")));
    }

    #[test]
    fn a_mark_of_the_encoding_is_no_part_of_a_line() {
        assert_eq!(all("\u{feff}{}\nb".into()).expect("valid"), ["{}", "b"]);
    }

    #[test]
    fn ends_of_lines_may_be_of_several_systems() {
        assert_eq!(
            all("a \r\nb\n\r\n\nc\t\r\r\nd\r".into()).expect("valid"),
            ["a ", "b", "", "", "c\t", "d"]
        );
    }

    #[test]
    fn gzip_before_other_bytes_is_an_error() {
        let mut bytes = packed("a\n");
        bytes.extend(b"garbage");
        let error = all(bytes).expect_err("no gzip").to_string();
        assert!(error.starts_with("the gzip is cut, or other bytes follow it: "), "{error}");
    }

    #[test]
    fn gzip_that_is_cut_is_an_error() {
        let mut bytes = packed(&"line\n".repeat(100));
        bytes.truncate(bytes.len() - 9);
        assert!(all(bytes).is_err());
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped() {
        let mut bytes = vec![b'x'; 2 * LONGEST];
        bytes.extend(b"\nshort\n\xff\n");
        assert_eq!(all(bytes).expect("readable"), ["TooLong", "short", "NotUnicode"]);
    }
}
