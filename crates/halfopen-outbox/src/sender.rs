use std::future::Future;

use halfopen::{BoxError, Classify, Outcome};

use crate::item::Item;

/// Delivers items, one at a time per lane.
///
/// Implemented for every `Fn(Item) -> impl Future<Output = Result<(), E>>`; a type of its own can be named in
/// the fields of a program.
///
/// An item can be delivered more than once: after a timeout, or if the process ends between a delivery and its record.
/// The receiver recognizes it by its [`idempotency_key`](Item::idempotency_key).
///
/// # Examples
///
/// ```
/// use halfopen_outbox::{Item, Sender};
///
/// struct Receipts;
///
/// impl Sender for Receipts {
///     type Error = std::io::Error;
///
///     async fn send(&self, item: Item) -> Result<(), std::io::Error> {
///         println!("{}: {} bytes", item.idempotency_key(), item.payload().len());
///         Ok(())
///     }
/// }
/// ```
pub trait Sender: Send + Sync + 'static {
    /// The error of a delivery.
    type Error: Into<BoxError> + Send + Sync + 'static;

    /// Delivers an item.
    fn send(&self, item: Item) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

impl<F, Fut, E> Sender for F
where
    F: Fn(Item) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Into<BoxError> + Send + Sync + 'static,
{
    type Error = E;

    fn send(&self, item: Item) -> impl Future<Output = Result<(), E>> + Send {
        self(item)
    }
}

/// How a call of a sender ended.
pub(crate) enum Answer<E> {
    /// The sender returned.
    Returned(Result<(), E>),
    /// The sender did not return in time.
    TimedOut,
}

/// A classifier of answers: that of the user, for which a timeout is a failure.
pub(crate) struct AnswerClassify<'a, E>(pub(crate) &'a dyn ItemClassify<E>);

/// A classifier of the results of a sender.
pub(crate) trait ItemClassify<E>: Classify<(), E> + Send + Sync + 'static {}

impl<E, C: Classify<(), E> + Send + Sync + 'static> ItemClassify<E> for C {}

impl<E> Classify<Answer<E>, std::convert::Infallible> for AnswerClassify<'_, E> {
    fn classify(&self, result: &Result<Answer<E>, std::convert::Infallible>) -> Outcome {
        match result {
            Ok(Answer::Returned(result)) => self.0.classify(result),
            Ok(Answer::TimedOut) => Outcome::Failure,
            Err(never) => match *never {},
        }
    }

    fn retry_after(
        &self,
        result: &Result<Answer<E>, std::convert::Infallible>,
    ) -> Option<std::time::Duration> {
        match result {
            Ok(Answer::Returned(result)) => self.0.retry_after(result),
            Ok(Answer::TimedOut) => None,
            Err(never) => match *never {},
        }
    }

    fn describe(&self, result: &Result<Answer<E>, std::convert::Infallible>) -> Option<String> {
        match result {
            Ok(Answer::Returned(result)) => self.0.describe(result),
            Ok(Answer::TimedOut) => Some("the sender timed out".to_owned()),
            Err(never) => match *never {},
        }
    }
}
