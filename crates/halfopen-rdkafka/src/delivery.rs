use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use halfopen::adapter::HeldPermit;
use pin_project_lite::pin_project;
use rdkafka::error::KafkaError;
use rdkafka::producer::DeliveryFuture;
use rdkafka::producer::future_producer::Delivery;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::classify::KafkaClassify;
use crate::error::{NoReport, ProduceError};

pin_project! {
    /// The delivery report of a message that is in the queue, within the limit of its producer.
    pub(crate) struct Reporting {
        report: DeliveryFuture,
        deadline: Instant,
        limit: Duration,
        // Started by the first poll that has to wait: a message can be queued outside of a runtime.
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Reporting {
    pub(crate) fn new(report: DeliveryFuture, limit: Duration) -> Reporting {
        Reporting { report, deadline: Instant::now() + limit, limit, sleep: None }
    }
}

impl Future for Reporting {
    type Output = Result<Delivery, ProduceError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(report) = Pin::new(this.report).poll(context) {
            return Poll::Ready(match report {
                Ok(delivered) => delivered.map_err(|(error, _)| ProduceError::Client(error)),
                Err(_) => Err(ProduceError::Client(KafkaError::Canceled)),
            });
        }
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep_until(*this.deadline)));
        }
        let waiting = this.sleep.as_pin_mut().is_some_and(|sleep| sleep.poll(context).is_pending());
        if waiting {
            return Poll::Pending;
        }
        Poll::Ready(Err(ProduceError::TimedOut(NoReport { limit: *this.limit })))
    }
}

/// What ends with a delivery report.
pub(crate) struct PendingCall {
    pub(crate) permit: HeldPermit,
    pub(crate) classify: KafkaClassify,
}

pin_project! {
    /// A message in the queue of the producer, whose delivery report ends the call.
    ///
    /// # Cancel safety
    ///
    /// A dropped one is recorded as abandoned and gives back a probe's slot. The message is still delivered.
    #[must_use = "a message without its delivery report is an abandoned call"]
    pub struct PendingDelivery {
        #[pin]
        pub(crate) reporting: Reporting,
        pub(crate) call: Option<PendingCall>,
    }
}

impl Future for PendingDelivery {
    type Output = Result<Delivery, ProduceError>;

    /// # Panics
    ///
    /// If it is polled after it has ended.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(result) = this.reporting.poll(context) else { return Poll::Pending };
        let call = this.call.take().expect("a future is not polled after it has ended");
        call.permit.settle(&result, &call.classify);
        Poll::Ready(result)
    }
}

impl fmt::Debug for PendingDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingDelivery").field("limit", &self.reporting.limit).finish_non_exhaustive()
    }
}
