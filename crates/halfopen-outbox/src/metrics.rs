use std::fmt;
use std::sync::{Arc, Mutex};

use metrics::{SharedString, counter, describe_counter, describe_gauge, gauge};

use crate::lock;
use crate::outbox::{Outbox, OutboxSnapshot};
use crate::sender::Sender;

type Read = Box<dyn Fn() -> Option<OutboxSnapshot> + Send + Sync>;

/// Outboxes in the [`metrics`](https://docs.rs/metrics) facade.
///
/// Cheap to clone; every clone is the same. Everything is read from a snapshot when [`publish`](Self::publish) is
/// called. An outbox that has been dropped is not shown any more.
///
/// | metric | |
/// |---|---|
/// | `outbox_sent_total` | items that were delivered without being stored |
/// | `outbox_buffered_total` | items that were stored |
/// | `outbox_duplicates_total` | items that were not stored, as their key was |
/// | `outbox_replayed_total` | stored items that were delivered |
/// | `outbox_failed_attempts_total` | attempts to deliver stored items that failed |
/// | `outbox_dead_lettered_total` | items that were set aside |
/// | `outbox_dropped_total` | items removed undelivered to make room |
/// | `outbox_full_total` | items for which there was no room |
/// | `outbox_store_failures_total` | operations of the store that failed |
/// | `outbox_items` | items that wait for their delivery |
/// | `outbox_dead_letters` | dead letters in the store |
/// | `outbox_bytes` | bytes of both |
/// | `outbox_oldest_age_seconds` | the age of the oldest item, 0 if there is none |
/// | `outbox_store_up` | 1 if the last operation of the store succeeded, otherwise 0 |
///
/// The label `outbox` is the name of the breaker.
///
/// # Examples
///
/// ```
/// use halfopen_outbox::{Item, MemoryStore, Outbox, OutboxMetrics};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sender = |_: Item| async { Ok::<(), std::io::Error>(()) };
/// let outbox = Outbox::builder(MemoryStore::new(), sender).build().await?;
/// let metrics = OutboxMetrics::new();
/// metrics.show(&outbox);
///
/// // The handler of `/metrics`, before it renders:
/// metrics.publish();
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct OutboxMetrics(Arc<Mutex<Vec<Read>>>);

impl OutboxMetrics {
    /// Creates an exporter that shows no outbox yet.
    pub fn new() -> OutboxMetrics {
        OutboxMetrics::default()
    }

    /// Shows an outbox from now on, until its last clone is dropped.
    pub fn show<S: Sender>(&self, outbox: &Outbox<S>) {
        let outbox = outbox.downgrade();
        let read = move || outbox.upgrade().map(|outbox| outbox.snapshot());
        lock(&self.0).push(Box::new(read));
    }

    /// Writes every series; called before the exporter renders, or every few seconds where it pushes.
    pub fn publish(&self) {
        describe();
        let mut outboxes = lock(&self.0);
        outboxes.retain(|read| read().map(write).is_some());
    }
}

impl fmt::Debug for OutboxMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxMetrics").finish_non_exhaustive()
    }
}

fn describe() {
    describe_counter!("outbox_sent_total", "Items that were delivered without being stored.");
    describe_counter!("outbox_buffered_total", "Items that were stored.");
    describe_counter!("outbox_duplicates_total", "Items that were not stored, as their key was.");
    describe_counter!("outbox_replayed_total", "Stored items that were delivered.");
    describe_counter!("outbox_failed_attempts_total", "Attempts to deliver stored items that failed.");
    describe_counter!("outbox_dead_lettered_total", "Items that were set aside.");
    describe_counter!("outbox_dropped_total", "Items removed undelivered to make room.");
    describe_counter!("outbox_full_total", "Items for which there was no room.");
    describe_counter!("outbox_store_failures_total", "Operations of the store that failed.");
    describe_gauge!("outbox_items", "Items that wait for their delivery.");
    describe_gauge!("outbox_dead_letters", "Dead letters in the store.");
    describe_gauge!("outbox_bytes", "Bytes of items and dead letters.");
    describe_gauge!("outbox_oldest_age_seconds", "The age of the oldest item, 0 if there is none.");
    describe_gauge!("outbox_store_up", "1 if the last operation of the store succeeded, otherwise 0.");
}

fn write(snapshot: OutboxSnapshot) {
    let OutboxSnapshot { name, totals, oldest_age, counters, store_error } = snapshot;
    let name = SharedString::from(name.to_string());
    for (metric, value) in [
        ("outbox_sent_total", counters.sent),
        ("outbox_buffered_total", counters.buffered),
        ("outbox_duplicates_total", counters.duplicates),
        ("outbox_replayed_total", counters.replayed),
        ("outbox_failed_attempts_total", counters.failed_attempts),
        ("outbox_dead_lettered_total", counters.dead_letters),
        ("outbox_dropped_total", counters.dropped),
        ("outbox_full_total", counters.full),
        ("outbox_store_failures_total", counters.store_failures),
    ] {
        counter!(metric, "outbox" => name.clone()).absolute(value);
    }
    for (metric, value) in [
        ("outbox_items", totals.items as f64),
        ("outbox_dead_letters", totals.dead_letters as f64),
        ("outbox_bytes", totals.bytes as f64),
        ("outbox_oldest_age_seconds", oldest_age.unwrap_or_default().as_secs_f64()),
        ("outbox_store_up", if store_error.is_none() { 1.0 } else { 0.0 }),
    ] {
        gauge!(metric, "outbox" => name.clone()).set(value);
    }
}
