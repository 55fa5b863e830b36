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
    /// A stream of results behind a breaker; made by [`CircuitBreaker::protect_stream`].
    ///
    /// It asks the breaker at its first poll. A rejection is yielded once, and then the stream ends.
    ///
    /// # What is recorded
    ///
    /// - By default the stream is one call that ends with its first item: `Ok` is a success, `Err` a
    ///   failure, the end before any item a success, the drop before any item an abandoned call. So a
    ///   stream that lives for days holds no probe's slot, meets no `probe_timeout` and is not slow.
    ///   Later items pass; a later `Err` is recorded as a call of its own while the breaker is still in the
    ///   visit to the state that admitted the call (or that the call began, as a probe), else it is
    ///   counted as [`late`](crate::Totals::late) and changes nothing.
    /// - With [`until_end`](Self::until_end) it is one call that ends with the first `Err` (failure),
    ///   the end (success) or the drop (abandoned).
    /// - With [`per_item`](Self::per_item) every item is a call.
    ///
    /// A panic of the inner stream goes on unchanged and is a failure of the call that is going on.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any time it gives its permit back as abandoned.
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
            // Not the permit's own drop: a panic elsewhere in the thread is no failure of this call.
            if let Phase::Calling { permit, .. } = std::mem::replace(this.project().phase, Phase::Ended) {
                permit.abandon();
            }
        }
    }
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    FirstItem,
    UntilEnd,
    PerItem,
}

/// How far the stream is.
#[derive(Debug)]
enum Phase {
    /// The breaker is to be asked before the next poll.
    Asking {
        any_item: bool,
    },
    Calling {
        permit: OwnedPermit,
        any_item: bool,
    },
    /// The call has ended; the items go on. What they say belongs to the visit of the call (S3).
    Passing {
        rest: StreamEnd,
    },
    Ended,
}

impl CircuitBreaker {
    /// Protects a stream of results.
    ///
    /// What is a call, and how it ends, is told at [`CircuitBreakerStream`].
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

    /// The same as [`protect_stream`](Self::protect_stream), with a classifier that says what an item
    /// means.
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
    /// Makes the stream one call to its end; to be chosen before the first poll.
    ///
    /// While half-open it holds a probe's slot as long as it lives, and must end within
    /// `probe_timeout`.
    pub fn until_end(mut self) -> Self {
        self.mode = Mode::UntilEnd;
        self
    }

    /// Makes every item a call, the wait for it included; to be chosen before the first poll.
    ///
    /// The breaker is asked before each item. The end of the stream is a success if no item came
    /// before it, else it is ignored.
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
        // While the inner stream runs the permit lies on this stack: its drop sees a panic (S6).
        let (permit, any_item) = match admit(this.breaker, this.phase) {
            Ok(admitted) => admitted,
            Err(rejected) => return Poll::Ready(Some(Err(CircuitBreakerError::Rejected(rejected)))),
        };
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
            // One more than none: a rejection.
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

/// Takes the permit of this poll out of the phase, asking the breaker if there is none yet.
///
/// The phase left behind is what holds should the poll panic.
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
        Mode::PerItem if any_item => permit.ignore(),
        Mode::PerItem | Mode::FirstItem | Mode::UntilEnd => permit.success(),
    }
}

/// An item has come within a call: what the phase is now.
fn settle<T, E, C: Classify<T, E>>(
    mode: Mode,
    permit: OwnedPermit,
    item: &Result<T, E>,
    classify: &C,
) -> Phase {
    match mode {
        Mode::UntilEnd if item.is_ok() => Phase::Calling { permit, any_item: true },
        Mode::FirstItem | Mode::UntilEnd => {
            Phase::Passing { rest: permit.settle_the_beginning(item, classify) }
        }
        Mode::PerItem => {
            permit.settle(item, classify);
            Phase::Asking { any_item: true }
        }
    }
}

/// An error after the call has ended is a call of its own, in the visit that the call belongs to.
fn record_later<T, E, C: Classify<T, E>>(phase: &mut Phase, item: &Result<T, E>, classify: &C) -> Phase {
    let phase = std::mem::replace(phase, Phase::Ended);
    if let (Phase::Passing { rest }, Err(_)) = (&phase, item) {
        rest.settle(item, classify);
    }
    phase
}
