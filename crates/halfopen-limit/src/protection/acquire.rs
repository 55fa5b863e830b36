use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use halfopen::{Rejected, adapter};
use pin_project_lite::pin_project;

use super::{Protection, ProtectionLimits, ProtectionPermit};
use crate::{Acquire, AcquireRate, Bulkhead};

pin_project! {
    /// The future of [`Protection::acquire`].
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it leaves the queue it waits in.
    #[must_use = "futures do nothing unless polled"]
    pub struct AcquireProtection {
        #[pin]
        step: Step,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step {
        Arriving { protection: Protection },
        Rate { #[pin] acquire: AcquireRate, bulkhead: Option<Bulkhead> },
        Slot { #[pin] acquire: Acquire },
    }
}

impl AcquireProtection {
    pub(super) fn new(protection: Protection) -> AcquireProtection {
        AcquireProtection { step: Step::Arriving { protection } }
    }
}

impl Future for AcquireProtection {
    type Output = Result<ProtectionPermit, Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            let bulkhead = match step.as_mut().project() {
                StepProjection::Arriving { protection } => {
                    // The breaker first: a call that it will reject must not use up the rate or wait for a slot.
                    let breaker = protection.breaker();
                    if let Some(refusal) = adapter::refusal(&breaker) {
                        return Poll::Ready(Err(adapter::reject(&breaker, refusal)));
                    }
                    let ProtectionLimits { bulkhead, rate_limiter, .. } = protection.limits();
                    if let Some(limiter) = rate_limiter {
                        // The rate before the slot: a slot that is held while its call waits for the rate would
                        // keep others out. The bulkhead is remembered, so that one change of the limits cannot give
                        // a call half of each.
                        step.set(Step::Rate { acquire: limiter.acquire(), bulkhead });
                        continue;
                    }
                    bulkhead
                }
                StepProjection::Rate { acquire, bulkhead } => {
                    ready!(acquire.poll(cx))?;
                    bulkhead.take()
                }
                StepProjection::Slot { acquire } => {
                    let slot = ready!(acquire.poll(cx))?;
                    return Poll::Ready(Ok(ProtectionPermit(Some(slot))));
                }
            };
            match bulkhead {
                Some(bulkhead) => step.set(Step::Slot { acquire: bulkhead.acquire() }),
                None => return Poll::Ready(Ok(ProtectionPermit(None))),
            }
        }
    }
}

impl fmt::Debug for AcquireProtection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Arriving { .. } => "arriving",
            Step::Rate { .. } => "rate limit",
            Step::Slot { .. } => "bulkhead",
        };
        f.debug_struct("AcquireProtection").field("step", &step).finish_non_exhaustive()
    }
}
