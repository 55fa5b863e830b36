use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;

use crate::breaker::{CircuitBreaker, OwnedPermit};
use crate::call::StreamEnd;
use crate::classify::{Classify, ErrorsFail};
use crate::error::{CircuitBreakerError, Rejected};

pin_project! {
    /// A stream of results behind a breaker; returned by [`CircuitBreaker::protect_stream`].
    ///
    /// The permit is requested at the first poll. A rejection is yielded once, and then the stream ends.
    ///
    /// # Recording
    ///
    /// - By default the stream is one call that ends with its first item: `Ok` is a success and `Err` a
    ///   failure. The end of the stream before any item is a success, and its drop before any item an abandoned
    ///   call. A stream that lives for days therefore holds no probe slot, exceeds no `probe_timeout` and is not
    ///   slow. Later items are passed on. A later `Err` is recorded as a separate call if the breaker is still in the
    ///   visit that admitted the call or, for a probe, in the visit that the probe began; otherwise it is
    ///   counted as [`late`](crate::Totals::late) and has no effect.
    /// - With [`until_end`](Self::until_end) the stream is one call that ends with the first `Err` (failure),
    ///   its end (success) or its drop (abandoned).
    /// - With [`per_item`](Self::per_item) every item is a call.
    ///
    /// A panic of the inner stream counts as a failure of the current call and continues to unwind.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream at any time abandons the current call and releases its permit.
    #[must_use = "streams do nothing unless polled"]
    pub struct CircuitBreakerStream<S, C = ErrorsFail> {
        #[pin]
        stream: S,
        breaker: CircuitBreaker,
        classify: C,
        mode: Mode,
        phase: Phase,
    }

    impl<S, C> PinnedDrop for CircuitBreakerStream<S, C> {
        fn drop(this: Pin<&mut Self>) {
            // Not by the drop of the permit, for which a panic elsewhere in the thread would be a failure of this call.
            if let Phase::Calling { permit, .. } = std::mem::replace(this.project().phase, Phase::Ended) {
                permit.abandon();
            }
        }
    }
}

/// The part of the stream that is one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    FirstItem,
    UntilEnd,
    PerItem,
}

/// The progress of the stream.
#[derive(Debug)]
enum Phase {
    /// A permit must be acquired before the next poll.
    Asking {
        any_item: bool,
    },
    Calling {
        permit: OwnedPermit,
        any_item: bool,
    },
    /// The call has ended, and later items are passed on. Their errors belong to the visit of the call (S3).
    Passing {
        rest: StreamEnd,
    },
    Ended,
}

impl CircuitBreaker {
    /// Wraps a stream of results, so that its items are recorded as calls.
    ///
    /// [`CircuitBreakerStream`] describes which items are recorded.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use futures_util::{StreamExt, stream};
    /// use halfopen::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("feed").build();
    /// let feed = stream::iter([Ok(1), Ok(2), Err("connection lost")]);
    ///
    /// let items: Vec<_> = breaker.protect_stream(feed).collect().await;
    /// assert_eq!(items.len(), 3);
    ///
    /// let totals = breaker.snapshot().totals;
    /// assert_eq!((totals.successes, totals.failures), (1, 1));
    /// # }
    /// ```
    pub fn protect_stream<S, T, E>(&self, stream: S) -> CircuitBreakerStream<S>
    where
        S: Stream<Item = Result<T, E>>,
    {
        self.protect_stream_with(stream, ErrorsFail)
    }

    /// Like [`protect_stream`](Self::protect_stream), with a classifier for the items.
    pub fn protect_stream_with<S, T, E, C>(&self, stream: S, classify: C) -> CircuitBreakerStream<S, C>
    where
        S: Stream<Item = Result<T, E>>,
        C: Classify<T, E>,
    {
        let (mode, phase) = (Mode::FirstItem, Phase::Asking { any_item: false });
        CircuitBreakerStream { stream, breaker: self.clone(), classify, mode, phase }
    }
}

impl<S, C> CircuitBreakerStream<S, C> {
    /// Makes the whole stream one call. It must be set before the first poll.
    ///
    /// In half-open the stream holds a probe slot until its end, and must end within
    /// `probe_timeout`.
    pub fn until_end(mut self) -> Self {
        self.mode = Mode::UntilEnd;
        self
    }

    /// Makes every item a call, including the wait for the item. It must be set before the first poll.
    ///
    /// A permit is requested before each item. The end of the stream is a success if it yielded no item; otherwise
    /// the end is ignored.
    pub fn per_item(mut self) -> Self {
        self.mode = Mode::PerItem;
        self
    }
}

impl<S, C, T, E> Stream for CircuitBreakerStream<S, C>
where
    S: Stream<Item = Result<T, E>>,
    C: Classify<T, E>,
{
    type Item = Result<T, CircuitBreakerError<E>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        // The permit is on this stack while the inner stream is polled, so a panic in it drops the permit (S6).
        let (permit, any_item) = match admit(this.breaker, this.phase) {
            Ok(admitted) => admitted,
            Err(rejected) => return Poll::Ready(Some(Err(CircuitBreakerError::Rejected(rejected)))),
        };
        // The inner stream need not be fused, so it is not polled again after its end.
        if matches!(this.phase, Phase::Ended) && permit.is_none() {
            return Poll::Ready(None);
        }
        match (this.stream.poll_next(context), permit) {
            (Poll::Pending, permit) => {
                if let Some(permit) = permit {
                    *this.phase = Phase::Calling { permit, any_item };
                }
                Poll::Pending
            }
            (Poll::Ready(None), permit) => {
                *this.phase = Phase::Ended;
                if let Some(permit) = permit {
                    end_of_stream(*this.mode, permit, any_item);
                }
                Poll::Ready(None)
            }
            (Poll::Ready(Some(item)), permit) => {
                *this.phase = match permit {
                    Some(permit) => settle(*this.mode, permit, &item, this.classify),
                    None => record_later(this.phase, &item, this.classify),
                };
                Poll::Ready(Some(item.map_err(CircuitBreakerError::Inner)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let upper = match self.phase {
            Phase::Ended => Some(0),
            // At least one item: a rejection.
            Phase::Asking { .. } => self.stream.size_hint().1.map(|upper| upper.max(1)),
            Phase::Calling { .. } | Phase::Passing { .. } => self.stream.size_hint().1,
        };
        (0, upper)
    }
}

impl<S, C, T, E> FusedStream for CircuitBreakerStream<S, C>
where
    S: Stream<Item = Result<T, E>>,
    C: Classify<T, E>,
{
    fn is_terminated(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }
}

/// Takes the permit of this poll out of the phase, or acquires one.
///
/// The phase is left as it must be if the poll panics.
fn admit(breaker: &CircuitBreaker, phase: &mut Phase) -> Result<(Option<OwnedPermit>, bool), Rejected> {
    match std::mem::replace(phase, Phase::Ended) {
        Phase::Asking { any_item } => Ok((Some(breaker.try_acquire_owned()?), any_item)),
        Phase::Calling { permit, any_item } => Ok((Some(permit), any_item)),
        passing @ Phase::Passing { .. } => {
            *phase = passing;
            Ok((None, true))
        }
        Phase::Ended => Ok((None, true)),
    }
}

fn end_of_stream(mode: Mode, permit: OwnedPermit, any_item: bool) {
    match mode {
        // The permit was taken to ask for one more item, and the end is none. An empty stream was a call that
        // succeeded.
        Mode::PerItem if any_item => permit.ignore(),
        Mode::PerItem | Mode::FirstItem | Mode::UntilEnd => permit.success(),
    }
}

/// Records an item of the current call, and returns the next phase.
fn settle<T, E, C: Classify<T, E>>(
    mode: Mode,
    permit: OwnedPermit,
    item: &Result<T, E>,
    classify: &C,
) -> Phase {
    match mode {
        // The call goes on until the end, so its permit is kept; an error ends it here.
        Mode::UntilEnd if item.is_ok() => Phase::Calling { permit, any_item: true },
        Mode::FirstItem | Mode::UntilEnd => Phase::Passing { rest: permit.settle_first_item(item, classify) },
        Mode::PerItem => {
            permit.settle(item, classify);
            Phase::Asking { any_item: true }
        }
    }
}

/// Records an error after the end of the call as a separate call, in the visit to which the call belongs.
fn record_later<T, E, C: Classify<T, E>>(phase: &mut Phase, item: &Result<T, E>, classify: &C) -> Phase {
    let phase = std::mem::replace(phase, Phase::Ended);
    if let (Phase::Passing { rest }, Err(_)) = (&phase, item) {
        rest.settle(item, classify);
    }
    phase
}
