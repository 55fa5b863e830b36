//! Which of the processes that use a file delivers its items, and which lanes it is working on.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::leases::Leases;
use crate::store::{Claim, LaneState, Settlement, StoreError, StoreErrorKind};
use crate::timestamp::Timestamp;

/// The right to deliver the items of a file: an advisory lock, which the system releases when the process ends.
///
/// The claims of lanes are in memory: there is one process at a time that makes any.
#[derive(Debug)]
pub(super) struct Leader {
    lock: File,
    path: PathBuf,
    held: bool,
    leases: Leases,
    /// The lane that was claimed last, after which the next search begins.
    last: Option<Arc<str>>,
}

/// A search for lanes that may be free.
pub(super) struct Search {
    pub(super) after: Option<Arc<str>>,
    pub(super) limit: usize,
}

impl Leader {
    pub(super) fn new(database: &Path) -> Result<Leader, StoreError> {
        // A file of its own: closing any handle of the database would release SQLite's own locks on it.
        let mut path = database.as_os_str().to_owned();
        path.push("-outbox-lock");
        let path = PathBuf::from(path);
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|error| cannot_lock(&path, error))?;
        Ok(Leader { lock, path, held: false, leases: Leases::default(), last: None })
    }

    /// Returns where to search for this many free lanes, or [`None`] if another process delivers.
    pub(super) fn search(&mut self, lanes: usize, now: Timestamp) -> Result<Option<Search>, StoreError> {
        if !self.held {
            match self.lock.try_lock() {
                Ok(()) => self.held = true,
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(cannot_lock(&self.path, error)),
            }
        }
        self.leases.search(now);
        Ok(Some(Search { after: self.last.clone(), limit: lanes.saturating_add(self.leases.len()) }))
    }

    /// Claims the first free lanes of those that were found.
    pub(super) fn choose(&mut self, found: Vec<Arc<str>>, claim: &Claim) -> Vec<Arc<str>> {
        let free = found.into_iter().filter(|lane| self.leases.is_free(lane, claim.now));
        let chosen: Vec<_> = free.take(claim.lanes).collect();
        for lane in &chosen {
            self.leases.claim(Arc::clone(lane), Arc::clone(&claim.worker), claim.until);
        }
        self.last = chosen.last().cloned().or(self.last.take());
        chosen
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) {
        self.leases.settle(&settlement.lane, &settlement.worker, settlement.then);
    }

    /// Forgets the lanes that have no items after an operation.
    pub(super) fn forget_empty(&mut self, lanes: &[LaneState]) {
        self.leases.forget_empty(lanes);
    }

    /// Returns when the next lane becomes free.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.leases.next(now)
    }

    /// Lets another process deliver.
    pub(super) fn resign(&mut self) {
        if self.held {
            // An error leaves the lock to the end of the process.
            let _ = self.lock.unlock();
            self.held = false;
        }
    }
}

fn cannot_lock(path: &Path, error: std::io::Error) -> StoreError {
    let message = format!("the lock file {} cannot be used", path.display());
    StoreError::new(StoreErrorKind::Unavailable, message).with_source(error)
}
