use std::fmt;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::{Notifier, NotifyError, Sending};
use crate::alert::Alert;

/// Sends alerts by e-mail, those of one moment in one message.
///
/// The transport is the program's: its server, TLS and credentials. Errors that the server calls permanent (5xx) are not
/// repeated.
#[derive(Clone)]
pub struct EmailNotifier {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl EmailNotifier {
    /// Creates a notifier with a sender and a recipient.
    pub fn new(transport: AsyncSmtpTransport<Tokio1Executor>, from: Mailbox, to: Mailbox) -> EmailNotifier {
        EmailNotifier { transport, from, to: vec![to] }
    }

    /// Adds a recipient.
    pub fn to(mut self, to: Mailbox) -> EmailNotifier {
        self.to.push(to);
        self
    }

    fn message(&self, alerts: &[Alert]) -> Result<Message, NotifyError> {
        let subject = match alerts {
            [alert] => format!("[{} {}] {}: {}", alert.status, alert.severity, alert.rule, alert.subject),
            several => format!("{} alerts of circuit breakers", several.len()),
        };
        // A name with a line break must not add headers.
        let subject: String = subject.chars().filter(|c| !c.is_control()).take(200).collect();
        let lines: Vec<String> = alerts.iter().map(Alert::to_string).collect();
        let message = Message::builder().from(self.from.clone()).subject(subject);
        let message = self.to.iter().fold(message, |message, to| message.to(to.clone()));
        message.body(lines.join("\n")).map_err(|error| NotifyError::refused(error.to_string()))
    }
}

impl Notifier for EmailNotifier {
    fn name(&self) -> &str {
        "email"
    }

    fn send<'a>(&'a self, alerts: &'a [Alert]) -> Sending<'a> {
        Box::pin(async move {
            let message = self.message(alerts)?;
            self.transport.send(message).await.map(drop).map_err(|error| match error.is_permanent() {
                true => NotifyError::refused(error.to_string()),
                false => NotifyError::unavailable(error.to_string()),
            })
        })
    }
}

impl fmt::Debug for EmailNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailNotifier").field("to", &self.to).finish_non_exhaustive()
    }
}
