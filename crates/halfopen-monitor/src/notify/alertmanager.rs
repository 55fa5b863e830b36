use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::webhook::Address;
use super::{Notifier, NotifyError, Sending};
use crate::alert::{Alert, AlertStatus};
use crate::wall_time;

/// Posts alerts to the API v2 of a Prometheus Alertmanager.
///
/// The labels `alertname`, `breaker`, `severity` and `category` are the same from firing to resolved; the numbers are in
/// the annotations, which may change. An alert that is firing is sent again every [`repeat_every`](Self::repeat_every),
/// a minute by default, with an end four times as far ahead, so that it resolves by itself if this process dies. One that
/// has resolved is sent once, with its end.
#[derive(Clone)]
pub struct AlertmanagerNotifier {
    address: Address,
    labels: Vec<(String, String)>,
    repeat_every: Duration,
}

impl AlertmanagerNotifier {
    /// Creates a notifier for the Alertmanager at a URL such as `http://alertmanager:9093`.
    ///
    /// # Errors
    ///
    /// If the URL is not valid.
    pub fn new(url: &str) -> Result<AlertmanagerNotifier, NotifyError> {
        let address = Address::new(&format!("{}/api/v2/alerts", url.trim_end_matches('/')))?;
        Ok(AlertmanagerNotifier { address, labels: Vec::new(), repeat_every: Duration::from_secs(60) })
    }

    /// Adds a label to every alert, such as the name of the program. An invalid one is refused by the Alertmanager.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Sets the time after which a firing alert is sent again, from a second to an hour. The default is a minute; a
    /// time out of this range is the nearest in it.
    pub fn repeat_every(mut self, time: Duration) -> Self {
        self.repeat_every = time.clamp(Duration::from_secs(1), Duration::from_secs(3_600));
        self
    }

    fn body(&self, alerts: &[Alert], now: SystemTime) -> Value {
        alerts.iter().map(|alert| self.of(alert, now)).collect()
    }

    fn of(&self, alert: &Alert, now: SystemTime) -> Value {
        let mut labels = json!({
            "alertname": &*alert.rule,
            "breaker": &*alert.subject,
            "severity": alert.severity,
        });
        if !alert.category.is_empty() {
            labels["category"] = (&*alert.category).into();
        }
        for (name, value) in &self.labels {
            labels[name] = value.as_str().into();
        }
        let ends = match alert.status {
            AlertStatus::Firing => now + 4 * self.repeat_every,
            AlertStatus::Resolved => alert.ended_at.unwrap_or(now),
        };
        json!({
            "labels": labels,
            "annotations": { "summary": alert.message },
            "startsAt": time(alert.started_at),
            // Not before the begin, which the Alertmanager refuses.
            "endsAt": time(ends.max(alert.started_at)),
        })
    }
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

impl Notifier for AlertmanagerNotifier {
    fn name(&self) -> &str {
        "alertmanager"
    }

    fn send<'a>(&'a self, alerts: &'a [Alert]) -> Sending<'a> {
        Box::pin(async move { self.address.post(&self.body(alerts, wall_time())).await })
    }

    fn repeat_every(&self) -> Option<Duration> {
        Some(self.repeat_every)
    }
}

impl fmt::Debug for AlertmanagerNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertmanagerNotifier").field("labels", &self.labels).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Severity;

    #[test]
    fn labels_stay_the_same_and_the_end_is_ahead() {
        let notifier = AlertmanagerNotifier::new("http://a:9093/").unwrap().label("job", "shop");
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        let firing = Alert {
            rule: "opened".into(),
            subject: "db".into(),
            severity: Severity::High,
            status: AlertStatus::Firing,
            category: "".into(),
            message: "db: open".to_owned(),
            started_at: start,
            ended_at: None,
        };
        let end = start + Duration::from_secs(30);
        let resolved = Alert { status: AlertStatus::Resolved, ended_at: Some(end), ..firing.clone() };
        let body = notifier.body(&[firing, resolved], start);
        let labels = json!({ "alertname": "opened", "breaker": "db", "severity": "high", "job": "shop" });
        assert_eq!((&body[0]["labels"], &body[1]["labels"]), (&labels, &labels));
        assert_eq!(body[0]["startsAt"], "1970-01-02T00:00:00.000Z");
        assert_eq!(body[0]["endsAt"], "1970-01-02T00:04:00.000Z");
        assert_eq!(body[1]["endsAt"], "1970-01-02T00:00:30.000Z");
    }

    #[test]
    fn an_endless_repetition_is_an_hour() {
        let notifier = AlertmanagerNotifier::new("http://a:9093/").unwrap().repeat_every(Duration::MAX);
        assert_eq!(notifier.repeat_every, Duration::from_secs(3_600));
    }
}
