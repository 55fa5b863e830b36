use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use halfopen::Rejected;
use pin_project_lite::pin_project;

use super::RateLimiter;
use super::waiting::Waiting;

pin_project! {
    /// The future of [`RateLimiter::acquire`].
    ///
    /// # Cancel safety
    ///
    /// Dropped before its turn, the call gives its place back and those behind move up. Dropped after its
    /// turn has come, it has used its call.
    #[must_use = "futures do nothing unless polled"]
    pub struct AcquireRate {
        #[pin]
        waiting: Waiting<RateLimiter>,
    }
}

impl AcquireRate {
    pub(super) fn new(limiter: RateLimiter, calls: u32) -> AcquireRate {
        AcquireRate { waiting: Waiting::new(limiter, calls) }
    }
}

impl Future for AcquireRate {
    type Output = Result<(), Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().waiting.poll(cx)
    }
}

impl fmt::Debug for AcquireRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireRate")
            .field("limiter", self.waiting.queue())
            .field("calls", &self.waiting.calls())
            .field("waiting", &self.waiting.is_queued())
            .finish_non_exhaustive()
    }
}
