//! Reading a document's file.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::{error, fmt};

/// No document is that long; what is was named by mistake, and shall not fill the memory.
const LONGEST: u64 = 16 << 20;

/// The text of a file.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    let file = open(path)?;
    // The open file is asked, not the path: something else may have taken its place by now.
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is not a file"));
    }
    let mut bytes = Vec::new();
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
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options.open(path)
}

/// Bytes that are no text, with what can be shown of them.
#[derive(Debug)]
pub(crate) struct NotUtf8 {
    pub(crate) shown: String,
    /// Where in that the first byte stands that is none of a text.
    pub(crate) at: usize,
    line: usize,
}

impl NotUtf8 {
    fn of(bytes: &[u8]) -> NotUtf8 {
        let at = std::str::from_utf8(bytes).err().map_or(bytes.len(), |error| error.valid_up_to());
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        NotUtf8 { shown: String::from_utf8_lossy(bytes).into_owned(), at, line }
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
