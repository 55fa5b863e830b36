use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// For a report.
    Low,
    /// For working hours.
    #[default]
    Medium,
    /// For today.
    High,
    /// For now.
    Critical,
}

impl Severity {
    /// All severities, the least urgent first.
    pub const ALL: &'static [Severity] =
        &[Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Returns the name in documents and labels: `low`, `medium`, `high` or `critical`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether the condition of an alert holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AlertStatus {
    /// The condition holds.
    Firing,
    /// The condition holds no longer.
    Resolved,
}

impl AlertStatus {
    /// Returns the name in messages: `firing` or `resolved`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertStatus::Firing => "firing",
            AlertStatus::Resolved => "resolved",
        }
    }
}

impl fmt::Display for AlertStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A rule that holds, or has ceased to hold, for one breaker.
///
/// An alert is identified by its rule and its breaker. `Display` formats one line. Serialized, times are seconds since
/// 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Alert {
    /// The name of the rule.
    pub rule: Arc<str>,
    /// The name of the breaker, the store or the notifier.
    pub subject: Arc<str>,
    /// The severity of the rule.
    pub severity: Severity,
    /// Whether the condition holds.
    pub status: AlertStatus,
    /// The category of the breaker; empty if it has none.
    pub category: Arc<str>,
    /// The state of the breaker when the alert began to fire.
    pub message: String,
    /// When the condition began to hold.
    #[serde(serialize_with = "unix")]
    pub started_at: SystemTime,
    /// When it ceased to hold; [`None`] while it holds.
    #[serde(serialize_with = "unix_option")]
    pub ended_at: Option<SystemTime>,
}

impl Alert {
    /// Returns the identity of the alert, which is stable from firing to resolved.
    pub(crate) fn key(&self) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&self.rule), Arc::clone(&self.subject))
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} {}] {}: {}", self.status, self.severity, self.rule, self.message)
    }
}

pub(crate) fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn unix<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(since_1970(*time).as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn unix_option<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| since_1970(time).as_secs_f64()).serialize(serializer)
}
