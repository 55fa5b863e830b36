//! One attempt to deliver an item, by `send` or by the worker.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use halfopen::adapter::catch_panic;
use halfopen::{CircuitBreaker, CircuitBreakerError, Outcome};

use crate::item::Item;
use crate::reports::Reports;
use crate::sender::{Answer, AnswerClassify, ItemClassify, Sender};

pub(crate) struct Shared<S: Sender> {
    pub(crate) sender: S,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) classifier: Box<dyn ItemClassify<S::Error>>,
    pub(crate) send_timeout: Duration,
    pub(crate) reports: Arc<Reports>,
    /// The number of deliveries, which shows whether the receiver works for other items.
    pub(crate) delivered: AtomicU64,
}

/// How an attempt ended.
pub(crate) enum Attempted<E> {
    Delivered,
    Rejected,
    Failed(Outcome, Failure<E>),
}

pub(crate) enum Failure<E> {
    Error(E),
    TimedOut,
}

impl<S: Sender> Shared<S> {
    pub(crate) async fn attempt(&self, item: Item) -> Attempted<S::Error> {
        let operation = || async {
            let sending = self.sender.send(item);
            let result = tokio::time::timeout(self.send_timeout, sending).await;
            Ok::<_, Infallible>(result.map_or(Answer::TimedOut, Answer::Returned))
        };
        match self.breaker.call_with(operation, &AnswerClassify(&*self.classifier)).await {
            Ok(Answer::Returned(Ok(()))) => {
                // Compared with itself later, and orders nothing.
                self.delivered.fetch_add(1, Ordering::Relaxed);
                Attempted::Delivered
            }
            Ok(Answer::Returned(Err(error))) => self.failed(error),
            Ok(Answer::TimedOut) => Attempted::Failed(Outcome::Failure, Failure::TimedOut),
            Err(CircuitBreakerError::Rejected(_)) => Attempted::Rejected,
            Err(CircuitBreakerError::Inner(never)) => match never {},
        }
    }

    #[cold]
    fn failed(&self, error: S::Error) -> Attempted<S::Error> {
        let result = Err(error);
        // As in the breaker: if the classifier panics, an error is a failure.
        let outcome = catch_panic(|| self.classifier.classify(&result)).unwrap_or(Outcome::Failure);
        match result {
            Ok(()) => Attempted::Delivered,
            Err(error) => Attempted::Failed(outcome, Failure::Error(error)),
        }
    }
}
