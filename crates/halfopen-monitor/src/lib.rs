#![cfg_attr(docsrs, feature(doc_cfg))]
//! Alerts about circuit breakers, and the data of a dashboard.
//!
//! A [`Monitor`] reads the breakers of a registry when they change state and on an interval, and costs their calls
//! nothing. Its rules fire and resolve alerts, which notifiers send, each behind a queue and a breaker of its own.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use halfopen::Registry;
//! use halfopen_monitor::{AlertRule, ClosureNotifier, Monitor, Severity};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new();
//! let monitor = Monitor::builder(registry.clone())
//!     .shipped_rules()
//!     .rule(AlertRule::new("critical_ai_failure")
//!         .severity(Severity::Critical)
//!         .when(|m| m.category == "ai" && m.failure_rate > 0.8)
//!         .cooldown(Duration::from_secs(300)))
//!     .notify(ClosureNotifier::new("console", |alert| println!("{alert}")))
//!     .start()?;
//!
//! registry.get_or_create("payments").trip();
//! tokio::time::sleep(Duration::from_secs(1)).await; // [firing high] opened: payments: open for ..
//! assert_eq!(monitor.dashboard_data().alerts.firing.len(), 1);
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! - `config`: the `alerts` of a document.
//! - `page`: a live page, with axum.
//! - `webhook`: JSON webhooks, Slack and Alertmanager. `email`: SMTP. `tracing`: the log.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod alert;
mod board;
mod dashboard;
#[cfg(feature = "config")]
mod document;
mod engine;
mod error;
mod evaluator;
mod metrics;
mod monitor;
mod notify;
#[cfg(feature = "page")]
mod page;
mod rule;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

pub use alert::{Alert, AlertStatus, Severity};
pub use dashboard::{DashboardAlerts, DashboardData, Overview, ServiceData};
#[cfg(feature = "config")]
pub use document::{AlertsConfig, DocumentRules};
pub use error::MonitorError;
pub use metrics::BreakerMetrics;
pub use monitor::{Monitor, MonitorBuilder};
#[cfg(feature = "email")]
pub use notify::EmailNotifier;
#[cfg(feature = "tracing")]
pub use notify::LogNotifier;
#[cfg(feature = "webhook")]
pub use notify::{AlertmanagerNotifier, SlackNotifier, WebhookNotifier};
pub use notify::{ClosureNotifier, Notifier, NotifierStatus, NotifyError, Sending};
#[cfg(feature = "page")]
pub use page::{Action, PageRoutes};
pub use rule::{AlertRule, Condition, CustomCondition};

/// Locks, ignoring poison: no user code runs under a lock.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wall_time() -> SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the times of alerts are for people, and no decision needs them"
    )]
    SystemTime::now()
}
