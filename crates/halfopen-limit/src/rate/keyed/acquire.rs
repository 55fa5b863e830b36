use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use halfopen::Rejected;
use pin_project_lite::pin_project;

use super::KeyedRateLimiter;
use super::shard::Answer;
use crate::rate::meter::{Meter, Refused};
use crate::rate::waiting::{Queue, Waiting};

pin_project! {
    /// The future of [`KeyedRateLimiter::acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`AcquireRate`](crate::AcquireRate): dropped before its turn, the call gives its place back and those
    /// of the key behind it move up. Dropped after its turn has come, it has used its call.
    #[must_use = "futures do nothing unless polled"]
    pub struct AcquireKey {
        #[pin]
        step: Step,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step {
        Arriving {
            limiter: KeyedRateLimiter,
            key: Arc<str>,
            calls: u32,
        },
        Waiting {
            #[pin]
            waiting: Waiting<KeyQueue>,
        },
    }
}

/// The queue of one key. It outlives the key in the limiter, so that an evicted key's waiters get their turns.
#[derive(Clone)]
struct KeyQueue {
    limiter: KeyedRateLimiter,
    key: Arc<str>,
    meter: Arc<Meter>,
}

impl AcquireKey {
    pub(super) fn new(limiter: KeyedRateLimiter, key: Arc<str>, calls: u32) -> AcquireKey {
        AcquireKey { step: Step::Arriving { limiter, key, calls } }
    }
}

impl Future for AcquireKey {
    type Output = Result<(), Rejected>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            match step.as_mut().project() {
                StepProjection::Arriving { limiter, key, calls } => {
                    let refused = match limiter.take(key, *calls) {
                        Answer::Permitted => return Poll::Ready(Ok(())),
                        Answer::Refused { nanos, .. } => nanos,
                    };
                    // Rejected before a queue is made: most keys that are refused never wait.
                    if refused.is_none_or(|nanos| nanos > limiter.0.max_wait) {
                        return Poll::Ready(Err(limiter.reject_slow(key, refused)));
                    }
                    let (limiter, key, calls) = (limiter.clone(), Arc::clone(key), *calls);
                    let meter = limiter.meter_slow(&key);
                    step.set(Step::Waiting {
                        waiting: Waiting::new(KeyQueue { limiter, key, meter }, calls),
                    });
                }
                StepProjection::Waiting { waiting } => return waiting.poll(cx),
            }
        }
    }
}

impl Queue for KeyQueue {
    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn now(&self) -> u64 {
        self.limiter.now()
    }

    fn max_wait(&self) -> u64 {
        self.limiter.0.max_wait
    }

    fn reject_slow(&self, refused: Refused) -> Rejected {
        self.limiter.reject_slow(&self.key, refused)
    }
}

impl fmt::Debug for AcquireKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limiter, key, calls, waiting) = match &self.step {
            Step::Arriving { limiter, key, calls } => (limiter, key, *calls, false),
            Step::Waiting { waiting } => {
                let KeyQueue { limiter, key, .. } = waiting.queue();
                (limiter, key, waiting.calls(), waiting.is_queued())
            }
        };
        f.debug_struct("AcquireKey")
            .field("limiter", &limiter.name())
            .field("key", key)
            .field("calls", &calls)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
