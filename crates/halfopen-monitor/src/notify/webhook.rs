use std::fmt;
use std::time::Duration;

use halfopen::adapter::with_causes;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::{Notifier, NotifyError, Sending};
use crate::alert::{Alert, AlertStatus, Severity};

/// Posts alerts as JSON: `{ "version": 1, "alerts": [ .. ] }`, each as [`Alert`] is serialized.
///
/// Requests that fail, and answers 408, 429 and 5xx, are repeated.
#[derive(Clone)]
pub struct WebhookNotifier {
    name: String,
    url: Address,
}

/// Posts alerts to an incoming webhook of Slack, or of a service that takes its messages.
#[derive(Clone)]
pub struct SlackNotifier {
    name: String,
    url: Address,
}

/// The time for the reason of a refusal, after its status.
const REASON_LIMIT: Duration = Duration::from_secs(1);

/// A URL, which is a secret: no error and no `Debug` has it.
#[derive(Clone)]
pub(super) struct Address {
    client: Client,
    url: Url,
}

impl WebhookNotifier {
    /// Creates a notifier with a client of its own. `https` requires a TLS feature of [`reqwest`], which the program
    /// enables.
    ///
    /// # Errors
    ///
    /// If the URL is not valid.
    pub fn new(name: impl Into<String>, url: &str) -> Result<WebhookNotifier, NotifyError> {
        Ok(WebhookNotifier { name: name.into(), url: Address::new(url)? })
    }
}

impl SlackNotifier {
    /// Creates a notifier with a client of its own. `https` requires a TLS feature of [`reqwest`], which the program
    /// enables.
    ///
    /// # Errors
    ///
    /// If the URL is not valid.
    pub fn new(url: &str) -> Result<SlackNotifier, NotifyError> {
        Ok(SlackNotifier { name: "slack".to_owned(), url: Address::new(url)? })
    }
}

impl Notifier for WebhookNotifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, alerts: &'a [Alert]) -> Sending<'a> {
        Box::pin(async move { self.url.post(&json!({ "version": 1, "alerts": alerts })).await })
    }
}

impl Notifier for SlackNotifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, alerts: &'a [Alert]) -> Sending<'a> {
        Box::pin(async move {
            let lines: Vec<String> = alerts.iter().map(line).collect();
            self.url.post(&json!({ "text": lines.join("\n") })).await
        })
    }
}

/// A line in the markup of Slack, in which three characters are special.
fn line(alert: &Alert) -> String {
    let sign = match (alert.status, alert.severity) {
        (AlertStatus::Resolved, _) => ":white_check_mark:",
        (AlertStatus::Firing, Severity::Critical | Severity::High) => ":rotating_light:",
        (AlertStatus::Firing, Severity::Medium | Severity::Low) => ":warning:",
    };
    let escaped = alert.to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("{sign} {escaped}")
}

impl Address {
    pub(super) fn new(url: &str) -> Result<Address, NotifyError> {
        let url =
            Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url =
            url.ok_or_else(|| NotifyError::refused("url must be an absolute URL with http or https"))?;
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("halfopen-monitor/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| NotifyError::refused(error.without_url().to_string()))?;
        Ok(Address { client, url })
    }

    pub(super) async fn post<T: Serialize + ?Sized>(&self, body: &T) -> Result<(), NotifyError> {
        let body = serde_json::to_vec(body).map_err(|error| NotifyError::refused(error.to_string()))?;
        let request =
            self.client.post(self.url.clone()).header("content-type", "application/json").body(body);
        let response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let hint = halfopen_http::retry_after_now(response.headers());
        let reason = reason_of(response).await;
        let message = format!("{status}: {}", reason.trim());
        let retry = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        Err(if retry { NotifyError::unavailable(message).after(hint) } else { NotifyError::refused(message) })
    }
}

/// Returns the first bytes of an error's body, in which services give their reason.
///
/// A sink that sends without end does not fill the memory, and one that stalls after its status does not make a refusal
/// look like an outage.
async fn reason_of(mut response: Response) -> String {
    let first = timeout(REASON_LIMIT, response.chunk()).await;
    let first = first.ok().and_then(Result::ok).flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&first);
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(200).collect()
}

fn unavailable(error: reqwest::Error) -> NotifyError {
    NotifyError::unavailable(with_causes(&error.without_url()))
}

impl fmt::Debug for WebhookNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookNotifier").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for SlackNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlackNotifier").finish_non_exhaustive()
    }
}
