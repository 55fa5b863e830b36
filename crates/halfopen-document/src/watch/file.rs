use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::debounce::{Debounce, Decision, Seen};
use crate::file;

/// Watches one file by polling it and comparing a hash of its content.
///
/// Each poll opens the path again, so that atomic renames and symlinks that change their target (Kubernetes'
/// ConfigMaps) are followed, on every file system. A change is reported when it has been stable for the quiet time: a
/// file that is being written is not read by halves, and one that is deleted and restored within that time was never
/// away. A file that changes all the time is never reported.
///
/// The time is an argument: the time since a fixed moment. [`spawn`](Self::spawn) polls on a thread.
///
/// # Examples
///
/// ```
/// use halfopen_document::watch::{Change, FileWatch};
/// use std::time::Duration;
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("breakers.yaml");
/// std::fs::write(&path, "breakers: {}")?;
/// let mut watch = FileWatch::new(&path).knowing("breakers: {}");
///
/// std::fs::write(&path, "breakers: {payments: {}}")?;
/// assert!(watch.poll(Duration::from_secs(2)).is_none()); // seen, and may still be written to
/// let Some(Change::Content(text)) = watch.poll(Duration::from_millis(2_250)) else { unreachable!() };
/// assert_eq!(text, "breakers: {payments: {}}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    interval: Duration,
    debounce: Debounce,
    polled: Option<Duration>,
    due: Duration,
}

/// A change of a watched file.
#[derive(Debug)]
pub enum Change {
    /// The content is another one, or can be read again.
    Content(String),
    /// The file cannot be read: it is missing, not permitted, not a file, not UTF-8, or longer than 16 MiB.
    ///
    /// Reported once for each kind of error; watching continues.
    Unreadable(io::Error),
}

impl FileWatch {
    /// The default interval between two polls.
    pub const INTERVAL: Duration = Duration::from_secs(2);
    /// The default quiet time, for which a change must be stable.
    pub const QUIET: Duration = Duration::from_millis(250);

    /// Creates a watch of a file; its first report is the content of the file.
    pub fn new(path: impl Into<PathBuf>) -> FileWatch {
        FileWatch {
            path: path.into(),
            interval: Self::INTERVAL,
            debounce: Debounce::new(Self::QUIET, None),
            polled: None,
            due: Duration::ZERO,
        }
    }

    /// Takes this content as reported, for a file that has been read already.
    pub fn knowing(mut self, content: &str) -> Self {
        self.debounce = Debounce::new(self.debounce.quiet, Some(Seen::content(content)));
        self
    }

    /// Sets the interval between two polls.
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Sets the quiet time; with zero, changes are reported immediately.
    pub fn quiet(mut self, quiet: Duration) -> Self {
        self.debounce.quiet = quiet;
        self
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the time of the next poll.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Polls the file if it is due, and returns a change that is to be reported.
    pub fn poll(&mut self, now: Duration) -> Option<Change> {
        if now < self.due {
            return None;
        }
        self.polled = Some(now);
        let found = file::text(&self.path);
        let decision = self.debounce.saw(Seen::of(&found), now);
        self.due = match decision {
            Decision::Wait(then) => then,
            Decision::Unchanged | Decision::Changed => now.saturating_add(self.interval),
        };
        (decision == Decision::Changed).then(|| found.map_or_else(Change::Unreadable, Change::Content))
    }

    /// Makes the next poll due now, for programs that receive events of the file system.
    ///
    /// At most one poll is made in a quiet time, as the directory may be a busy one.
    pub fn nudge(&mut self, now: Duration) {
        // Not immediately: notifications come in bursts, and the file is read at most once in a quiet time.
        let soon = self.polled.map_or(now, |polled| now.max(polled.saturating_add(self.debounce.quiet)));
        self.due = self.due.min(soon);
    }
}
