//! A registry on tokio's clock, and a notifier that remembers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen::{CircuitBreakerConfig, Clock, Registry, Trip};
use halfopen_monitor::{Alert, ClosureNotifier, Monitor, MonitorBuilder, Notifier};
use tokio::time::Instant;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A registry whose breakers trip at the tenth failure in a row and wait a minute, on tokio's clock.
pub(crate) fn registry() -> Registry {
    let start = Instant::now();
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(10))
        .open_duration(60 * SECOND)
        .build()
        .unwrap();
    Registry::builder().clock(Clock::from_fn(move || start.elapsed())).default_config(config).build()
}

/// The alerts that a notifier has received.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Vec<Alert>>>);

impl Inbox {
    pub(crate) fn notifier(&self, name: &str) -> impl Notifier + use<> {
        let inbox = Arc::clone(&self.0);
        ClosureNotifier::new(name, move |alert| inbox.lock().unwrap().push(alert.clone()))
    }

    /// The alerts since the last call, as `status rule subject`.
    pub(crate) fn take(&self) -> Vec<String> {
        let alerts = std::mem::take(&mut *self.0.lock().unwrap());
        alerts.iter().map(|alert| format!("{} {} {}", alert.status, alert.rule, alert.subject)).collect()
    }
}

/// Waits for a condition that a real server makes true.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A started monitor with an inbox, after its first evaluation.
pub(crate) async fn started(builder: MonitorBuilder) -> (Monitor, Inbox) {
    let inbox = Inbox::default();
    let monitor = builder.notify(inbox.notifier("inbox")).start().unwrap();
    tokio::time::sleep(SECOND / 2).await;
    (monitor, inbox)
}
