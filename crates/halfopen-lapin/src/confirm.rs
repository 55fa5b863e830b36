use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use halfopen::adapter::HeldPermit;
use lapin::PublisherConfirm;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use crate::classify::{LapinClassify, confirmed};
use crate::error::{NoConfirm, PublishError};
use crate::link::Opened;

pin_project! {
    /// The confirm of a message that has been sent, within the limit of its publisher.
    pub(crate) struct Confirming {
        pub(crate) confirm: PublisherConfirm,
        #[pin]
        pub(crate) sleep: Sleep,
        pub(crate) limit: Duration,
        pub(crate) waiting: Waiting,
    }
}

/// The channel on which a confirm is awaited.
pub(crate) struct Waiting(pub(crate) Option<Arc<Opened>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(opened) = &self.0 {
            opened.forgot();
        }
    }
}

impl Waiting {
    fn answered(&mut self) {
        if let Some(opened) = self.0.take() {
            opened.answered();
        }
    }

    fn timed_out(&self) {
        if let Some(opened) = &self.0 {
            opened.timed_out();
        }
    }
}

impl Future for Confirming {
    type Output = Result<(), PublishError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(confirm) = Pin::new(this.confirm).poll(context) {
            this.waiting.answered();
            return Poll::Ready(confirmed(confirm));
        }
        if this.sleep.poll(context).is_pending() {
            return Poll::Pending;
        }
        this.waiting.timed_out();
        Poll::Ready(Err(PublishError::TimedOut(NoConfirm { limit: *this.limit, connecting: false })))
    }
}

/// What ends with a confirm.
pub(crate) struct PendingCall {
    pub(crate) permit: HeldPermit,
    pub(crate) classify: LapinClassify,
}

pin_project! {
    /// A publish that has been sent, and whose confirm ends the call.
    ///
    /// # Cancel safety
    ///
    /// A dropped one is recorded as abandoned and gives back a probe's slot. The message may be stored.
    #[must_use = "a publish without its confirm is an abandoned call"]
    pub struct PendingConfirm {
        #[pin]
        pub(crate) confirming: Confirming,
        pub(crate) call: Option<PendingCall>,
    }
}

impl Future for PendingConfirm {
    type Output = Result<(), PublishError>;

    /// # Panics
    ///
    /// If it is polled after it has ended.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(result) = this.confirming.poll(context) else { return Poll::Pending };
        let call = this.call.take().expect("a future is not polled after it has ended");
        call.permit.settle(&result, &call.classify);
        Poll::Ready(result)
    }
}

impl fmt::Debug for PendingConfirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingConfirm").field("limit", &self.confirming.limit).finish_non_exhaustive()
    }
}
