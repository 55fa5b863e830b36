//! Reading the file of a document.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::{error, fmt};

use crate::{Problem, Source, SourceKind, Span};

/// The longest document, in bytes. A longer file was most likely named by mistake and must not fill the memory.
const LONGEST: u64 = 16 << 20;

/// Reads the file of a document, which must be UTF-8 and at most 16 MiB long.
///
/// # Errors
///
/// A file that cannot be read is a [`Problem`], with its place if that is a byte that is not UTF-8. A path that is
/// not a file, such as a directory or a pipe, is refused without waiting.
pub fn read_file(path: impl AsRef<Path>) -> Result<String, Problem> {
    let path = path.as_ref();
    text(path).map_err(|error| unreadable(&path.display().to_string(), &error))
}

fn unreadable(name: &str, error: &io::Error) -> Problem {
    let problem = Problem::error("", format!("`{name}` cannot be read: {error}"));
    match error.get_ref().and_then(|inner| inner.downcast_ref::<NotUtf8>()) {
        Some(NotUtf8 { lossy, at, .. }) => {
            let source = Source::new(SourceKind::File, name, lossy);
            problem.at(Span::new(&source, *at, at + 1)).help("write it anew as UTF-8")
        }
        None => problem,
    }
}

/// Returns the text of a file.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    let file = open(path)?;
    // The open file is examined, not the path, which may name another file by now.
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is not a file"));
    }
    let mut bytes = Vec::new();
    // Limited while it is read: the size in the metadata may be that of a moment ago, or zero for a special file.
    // One byte more shows that there is more.
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        let why = format!("is longer than {} MiB", LONGEST >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, NotUtf8::of(error.as_bytes())))
}

/// Opens a file for reading without waiting for the writer of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    // A pipe would block until there is a writer; it is found to be no file after it is open.
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}

/// The error for bytes that are not UTF-8, with as much of the text as can be shown.
#[derive(Debug)]
struct NotUtf8 {
    /// The text, with replacement characters.
    lossy: String,
    /// The offset of the first invalid byte.
    at: usize,
    line: usize,
}

impl NotUtf8 {
    fn of(bytes: &[u8]) -> NotUtf8 {
        let at = std::str::from_utf8(bytes).err().map_or(bytes.len(), |error| error.valid_up_to());
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        NotUtf8 { lossy: String::from_utf8_lossy(bytes).into_owned(), at, line }
    }
}

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is not UTF-8 in line {}", self.line)
    }
}

impl error::Error for NotUtf8 {}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pipe_is_opened_without_a_writer_and_refused() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("breakers.yaml");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (sender, opened) = mpsc::channel();
        let path = pipe.clone();
        // On a thread of its own: without the flag, `open` waits for a writer that never comes.
        thread::spawn(move || sender.send(open(&path).is_ok()));
        assert_eq!(opened.recv_timeout(Duration::from_secs(60)), Ok(true), "`open` waits for a writer");
        assert_eq!(text(&pipe).unwrap_err().to_string(), "is not a file");
    }
}
