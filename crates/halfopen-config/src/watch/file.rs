use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::steady::{News, Seen, Steady};
use crate::file;

/// Watches one file by looking at it now and then and comparing a hash of its content.
///
/// It opens the path anew each time, so it sees through atomic renames and symlinks that are turned
/// to another target (Kubernetes' ConfigMaps), on any file system. Something new is told only when
/// it has been the same for a quiet time: a file that is being written is not read by halves, and one
/// that is deleted and at once restored was never away. A file that never rests is never told.
///
/// Time is passed in, as the time since some moment that stays the same. [`spawn`](Self::spawn) runs
/// it on a thread of its own.
///
/// # Examples
///
/// ```
/// use halfopen_config::watch::{Change, FileWatch};
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
    steady: Steady,
    looked: Option<Duration>,
    due: Duration,
}

/// What has become of a watched file.
#[derive(Debug)]
pub enum Change {
    /// It says something else than before, or can be read again.
    Content(String),
    /// It cannot be read: it is gone, not allowed, not a file, not UTF-8, or longer than 16 MiB.
    ///
    /// Told once for each kind of error; watching goes on.
    Unreadable(io::Error),
}

impl FileWatch {
    /// Every how long it looks, if not told otherwise.
    pub const INTERVAL: Duration = Duration::from_secs(2);
    /// How long something new must stay the same, if not told otherwise.
    pub const QUIET: Duration = Duration::from_millis(250);

    /// A watch that knows nothing yet: the first it tells is what the file says.
    pub fn new(path: impl Into<PathBuf>) -> FileWatch {
        FileWatch {
            path: path.into(),
            interval: Self::INTERVAL,
            steady: Steady::new(Self::QUIET, None),
            looked: None,
            due: Duration::ZERO,
        }
    }

    /// Takes this content as told: for whoever has read the file already.
    pub fn knowing(mut self, content: &str) -> Self {
        self.steady = Steady::new(self.steady.quiet, Some(Seen::content(content)));
        self
    }

    /// Every how long to look.
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// How long something new must stay the same before it is told; zero tells at once.
    pub fn quiet(mut self, quiet: Duration) -> Self {
        self.steady.quiet = quiet;
        self
    }

    /// The file that is watched.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When the next look is due.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// Looks, if it is time to, and says what is new.
    pub fn poll(&mut self, now: Duration) -> Option<Change> {
        if now < self.due {
            return None;
        }
        self.looked = Some(now);
        let found = file::text(&self.path);
        let news = self.steady.saw(Seen::of(&found), now);
        self.due = match news {
            News::AskAt(then) => then,
            News::No | News::Yes => now.saturating_add(self.interval),
        };
        (news == News::Yes).then(|| found.map_or_else(Change::Unreadable, Change::Content))
    }

    /// Something has happened near the file: makes the next look due at once.
    ///
    /// At once, but not twice within the quiet time: the directory may be a busy one.
    pub fn nudge(&mut self, now: Duration) {
        let soon = self.looked.map_or(now, |looked| now.max(looked.saturating_add(self.steady.quiet)));
        self.due = self.due.min(soon);
    }
}
