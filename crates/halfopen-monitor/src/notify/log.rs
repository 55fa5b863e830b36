use super::{Notifier, Sending};
use crate::alert::{Alert, AlertStatus, Severity};

/// Alerts as events of `tracing`: errors from the severity high on, warnings below, and resolved ones as information.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogNotifier;

impl Notifier for LogNotifier {
    fn name(&self) -> &str {
        "log"
    }

    fn send<'a>(&'a self, alerts: &'a [Alert]) -> Sending<'a> {
        Box::pin(async move {
            alerts.iter().for_each(log);
            Ok(())
        })
    }
}

fn log(alert: &Alert) {
    let Alert { rule, subject, severity, message, .. } = alert;
    match (alert.status, *severity >= Severity::High) {
        (AlertStatus::Firing, true) => {
            tracing::error!(%rule, breaker = %subject, %severity, "alert: {message}");
        }
        (AlertStatus::Firing, false) => {
            tracing::warn!(%rule, breaker = %subject, %severity, "alert: {message}");
        }
        (AlertStatus::Resolved, _) => {
            tracing::info!(%rule, breaker = %subject, %severity, "alert resolved: {message}");
        }
    }
}
