//! Where alerts go.

#[cfg(feature = "webhook")]
mod alertmanager;
mod closure;
#[cfg(feature = "email")]
mod email;
#[cfg(feature = "tracing")]
mod log;
mod sink;
#[cfg(feature = "webhook")]
mod webhook;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

#[cfg(feature = "webhook")]
pub use alertmanager::AlertmanagerNotifier;
pub use closure::ClosureNotifier;
#[cfg(feature = "email")]
pub use email::EmailNotifier;
#[cfg(feature = "tracing")]
pub use log::LogNotifier;
pub use sink::NotifierStatus;
pub(crate) use sink::{Sink, deliver};
#[cfg(feature = "webhook")]
pub use webhook::{SlackNotifier, WebhookNotifier};

use crate::alert::Alert;

/// The result of [`Notifier::send`].
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), NotifyError>> + Send + 'a>>;

/// A sink for alerts.
///
/// The monitor gives each its own task, queue and breaker: one that hangs or fails delays no other.
pub trait Notifier: Send + Sync + 'static {
    /// Returns the name in statuses and alerts.
    fn name(&self) -> &str;

    /// Sends alerts, in their order. Called once at a time, within a time limit.
    fn send<'a>(&'a self, alerts: &'a [Alert]) -> Sending<'a>;

    /// Returns the time after which alerts that are firing are sent again; [`None`], the default, if they are not.
    fn repeat_every(&self) -> Option<Duration> {
        None
    }
}

/// Why alerts were not sent, and whether to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyError {
    message: String,
    retry: bool,
    retry_after: Option<Duration>,
}

impl NotifyError {
    /// Creates an error after which the same alerts are sent again.
    pub fn unavailable(message: impl Into<String>) -> NotifyError {
        NotifyError { message: message.into(), retry: true, retry_after: None }
    }

    /// Creates an error after which the alerts are dropped and counted: the sink will not take them.
    pub fn refused(message: impl Into<String>) -> NotifyError {
        NotifyError { message: message.into(), retry: false, retry_after: None }
    }

    /// Sets the time that the sink asks for before the next attempt.
    pub fn after(mut self, time: Option<Duration>) -> NotifyError {
        self.retry_after = time;
        self
    }
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NotifyError {}
