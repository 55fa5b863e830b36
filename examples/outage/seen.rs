use std::sync::atomic::{AtomicU64, Ordering};

use crate::request::Sender;

/// The requests that arrived at the server, by client. They verify the figures of the clients.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    all: [AtomicU64; Sender::COUNT],
    while_sick: [AtomicU64; Sender::COUNT],
}

impl Seen {
    pub(crate) fn all(&self, sender: Sender) -> u64 {
        self.all[sender as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn while_sick(&self, sender: Sender) -> u64 {
        self.while_sick[sender as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, sender: Sender, sick: bool) {
        self.all[sender as usize].fetch_add(1, Ordering::Relaxed);
        if sick {
            self.while_sick[sender as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}
