//! Following the file of a document: a [`FileWatch`], and the outcome of each change as a [`Reload`].

use halfopen_document::{DocumentError, Format, Problem};
use std::io;
use std::time::Duration;

use crate::{Difference, LiveRegistry};
pub use halfopen_document::watch::{Change, FileWatch, WatchHandle};

/// The outcome of a change of the document's file.
#[derive(Debug)]
pub enum Reload {
    /// The document was applied.
    #[non_exhaustive]
    Applied {
        /// The values that changed.
        difference: Difference,
        /// The warnings of the document, in its order.
        warnings: Vec<Problem>,
    },
    /// The document is invalid, and the previous one stays in force. Reported once; watching goes on.
    Invalid(DocumentError),
    /// The document cannot be read, and the previous one stays in force. Reported once; watching goes on.
    Unreadable(io::Error),
}

impl LiveRegistry {
    /// Checks the document's file if its interval has passed, and applies a change.
    ///
    /// This is for programs with a timer of their own; `now` is the time since a fixed moment.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::watch::{FileWatch, Reload};
    /// use halfopen_config::{Format, LiveRegistry, Loader};
    /// use std::time::Duration;
    ///
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("breakers.yaml");
    /// std::fs::write(&path, "breakers: { payments: { open: { duration: 5s } } }")?;
    /// let live = LiveRegistry::new(Loader::new().file(&path))?;
    /// let mut watch = FileWatch::new(&path).quiet(Duration::ZERO);
    ///
    /// std::fs::write(&path, "breakers: { payments: { open: { duration: 10s } } }")?;
    /// let told = live.poll(&mut watch, Format::Yaml, Duration::from_secs(2));
    /// let Some(Reload::Applied { difference, .. }) = told else { unreachable!() };
    /// assert_eq!(difference.to_string(), "changed `payments`: open.duration 5s -> 10s");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll(&self, watch: &mut FileWatch, format: Format, now: Duration) -> Option<Reload> {
        watch.poll(now).map(|change| self.reload(format, change))
    }

    /// Follows the document's file on a thread of its own, which reports the outcome of each change, until the
    /// [`WatchHandle`] is dropped.
    ///
    /// [`changes`](LiveRegistry::changes) receives the same changes, and those made by hand.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::watch::{FileWatch, Reload};
    /// use halfopen_config::{Format, LiveRegistry, Loader};
    /// use std::{sync::mpsc, time::Duration};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("breakers.yaml");
    /// std::fs::write(&path, "breakers: { payments: {} }")?;
    /// let live = LiveRegistry::new(Loader::new().file(&path))?;
    /// let (sender, receiver) = mpsc::channel();
    /// let watch = FileWatch::new(&path).interval(Duration::from_millis(50));
    /// let watching = live.follow(watch, Format::Yaml, move |reload| match reload {
    ///     Reload::Applied { difference, warnings, .. } => {
    ///         warnings.iter().for_each(|warning| eprintln!("{warning}"));
    ///         sender.send(difference.to_string()).unwrap_or_default();
    ///     }
    ///     Reload::Invalid(error) => eprintln!("the document is not applied: {error}"),
    ///     Reload::Unreadable(error) => eprintln!("the document cannot be read: {error}"),
    /// })?;
    /// // The first report is of the file as it is.
    /// assert_eq!(receiver.recv_timeout(Duration::from_secs(60))?, "nothing changed");
    /// drop(watching);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the thread cannot be spawned.
    pub fn follow(
        &self,
        watch: FileWatch,
        format: Format,
        mut tell: impl FnMut(Reload) + Send + 'static,
    ) -> io::Result<WatchHandle> {
        let live = self.clone();
        watch.spawn(move |change| tell(live.reload(format, change)))
    }

    fn reload(&self, format: Format, change: Change) -> Reload {
        match change {
            Change::Content(text) => match self.apply_with_warnings(format, &text) {
                Ok((difference, warnings)) => Reload::Applied { difference, warnings },
                Err(error) => Reload::Invalid(error),
            },
            Change::Unreadable(error) => Reload::Unreadable(error),
        }
    }
}
