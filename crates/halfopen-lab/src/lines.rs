//! The lines of a log: a file, gzip or not, read in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

/// The longest line in bytes: an export request of OTLP has thousands of spans.
pub(crate) const LONGEST: usize = 8 << 20;

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

/// Reads lines into a buffer that it keeps.
pub(crate) struct Lines {
    input: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    number: u64,
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
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(input)))
        } else {
            Box::new(input)
        };
        Ok(Lines { input, buffer: Vec::new(), number: 0 })
    }

    /// Returns the number of the last line, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the next line without its end, or [`None`] after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let most = LONGEST as u64 + 1;
        if self.input.by_ref().take(most).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.buffer.len() > LONGEST && self.buffer.last() != Some(&b'\n') {
            self.input.skip_until(b'\n')?;
            return Ok(Some(Line::TooLong));
        }
        let line = self.buffer.trim_ascii_end();
        // The mark of the encoding, which editors of other systems write.
        let line = line.strip_prefix("\u{feff}".as_bytes()).filter(|_| self.number == 1).unwrap_or(line);
        Ok(Some(str::from_utf8(line).map_or(Line::NotUnicode, Line::Text)))
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
