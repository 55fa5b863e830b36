use std::io;
use std::time::Duration;

use super::{Change, FileWatch, Watching};
use crate::{Difference, DocumentError, Format, Live};

/// What has become of a change of the document's file.
#[derive(Debug)]
pub enum Reload {
    /// It was applied, and this is what it changed.
    Applied(Difference),
    /// It is wrong: nothing was changed, and what held holds on. Told once; watching goes on.
    Invalid(DocumentError),
    /// It cannot be read: what held holds on. Told once; watching goes on.
    Unreadable(io::Error),
}

impl Live {
    /// Looks at the document's file, if it is time to, and applies what is new in it.
    pub fn poll(&self, watch: &mut FileWatch, format: Format, now: Duration) -> Option<Reload> {
        watch.poll(now).map(|change| self.reload(format, change))
    }

    /// Follows the document's file on a thread of its own, which tells what becomes of each change,
    /// until the [`Watching`] is dropped.
    ///
    /// # Errors
    ///
    /// If no thread can be had.
    pub fn follow(
        &self,
        watch: FileWatch,
        format: Format,
        mut tell: impl FnMut(Reload) + Send + 'static,
    ) -> io::Result<Watching> {
        let live = self.clone();
        watch.spawn(move |change| tell(live.reload(format, change)))
    }

    fn reload(&self, format: Format, change: Change) -> Reload {
        match change {
            Change::Content(text) => self.apply(format, &text).map_or_else(Reload::Invalid, Reload::Applied),
            Change::Unreadable(error) => Reload::Unreadable(error),
        }
    }
}
