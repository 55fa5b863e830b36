//! What an outbox counts and reports.

use std::sync::Mutex;

use halfopen::adapter::catch_panic;
use tokio::time::Instant;

use crate::event::{LiveCounters, OutboxEvent};
use crate::lock;
use crate::store::{StoreError, Totals};

pub(crate) type Listener = Box<dyn Fn(&OutboxEvent) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Reports {
    pub(crate) counters: LiveCounters,
    listener: Option<Listener>,
    known: Mutex<Known>,
}

/// The state of the store as of its last operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) totals: Totals,
    pub(crate) failure: Option<(StoreError, Instant)>,
}

impl Reports {
    pub(crate) fn new(listener: Option<Listener>) -> Reports {
        Reports { listener, ..Reports::default() }
    }

    pub(crate) fn known(&self) -> Known {
        self.change(|known| known.clone())
    }

    pub(crate) fn emit(&self, event: &OutboxEvent) {
        if let Some(listener) = &self.listener {
            // A panic of the listener must not end the task that keeps the items.
            let _ = catch_panic(|| listener(event));
        }
    }

    /// Records the size of the store after an operation.
    pub(crate) fn totals(&self, totals: Totals) {
        let before = self.change(|known| std::mem::replace(&mut known.totals, totals));
        match (before.items, totals.items) {
            (0, 1..) => self.emit(&OutboxEvent::Buffering),
            (1.., 0) => self.emit(&OutboxEvent::Drained),
            (0, 0) | (1.., 1..) => {}
        }
    }

    /// Records whether an operation of the store succeeded. Only changes are reported.
    pub(crate) fn store<T>(&self, result: &Result<T, StoreError>, now: Instant) {
        match result {
            Ok(_) => {
                if let Some((_, since)) = self.change(|known| known.failure.take()) {
                    self.emit(&OutboxEvent::StoreRecovered { after: now - since });
                }
            }
            Err(error) => {
                self.counters.store_failures.add(1);
                let first = self.change(|known| {
                    let since = known.failure.as_ref().map(|(_, since)| *since);
                    known.failure = Some((error.clone(), since.unwrap_or(now)));
                    since.is_none()
                });
                if first {
                    self.emit(&OutboxEvent::StoreFailed(error.clone()));
                }
            }
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut lock(&self.known))
    }
}
