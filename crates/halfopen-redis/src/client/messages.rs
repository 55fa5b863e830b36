use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use halfopen::{CircuitBreaker, adapter};
use pin_project_lite::pin_project;

pin_project! {
    /// A stream of pub/sub messages whose end is a failure of the server.
    ///
    /// Created by [`ProtectedConnection::messages`](crate::ProtectedConnection::messages). Dropping it is no outcome.
    #[derive(Debug)]
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct Messages<S> {
        #[pin]
        stream: S,
        breaker: Option<CircuitBreaker>,
    }
}

impl<S> Messages<S> {
    pub(super) fn new(stream: S, breaker: CircuitBreaker) -> Self {
        Messages { stream, breaker: Some(breaker) }
    }
}

impl<S: Stream> Stream for Messages<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let next = this.stream.poll_next(cx);
        if let Poll::Ready(None) = next {
            // Taken: a stream that is polled after its end has ended once.
            let permit = this.breaker.take().and_then(|breaker| adapter::acquire_if_permitted(&breaker));
            permit.into_iter().for_each(halfopen::OwnedPermit::failure);
        }
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}
