use std::fmt;

use halfopen::Rejected;
use halfopen::adapter::Printable;
use reqwest_middleware::Error;

/// Says in the error itself whose rejection it is; the details are its source.
struct NotSent(Rejected);

/// A rejection as an error of the client.
///
/// `Error::Middleware` is transparent, which hides the root of what it holds from a walk along
/// `source()`. So does the error of `reqwest-retry`. One level below the root the `Rejected` is found
/// through any number of them.
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
