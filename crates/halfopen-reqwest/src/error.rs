use std::fmt;

use halfopen::Rejected;
use halfopen::adapter::Printable;
use reqwest_middleware::Error;

/// The message of a rejected request, which names the breaker. The rejection is its source.
struct NotSent(Rejected);

/// Converts a rejection to an error of the client.
///
/// `Error::Middleware` and the error of `reqwest-retry` are transparent: a walk along `source()` skips the
/// root of the error that they wrap. One level below the root, the `Rejected` is found through any number
/// of such wrappers.
#[cold]
pub(crate) fn rejected(rejected: Rejected) -> Error {
    let context = NotSent(rejected.clone());
    Error::Middleware(anyhow::Error::new(rejected).context(context))
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request not sent: circuit breaker `{}` rejected it", Printable::new(self.0.name()))
    }
}
