use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;

use super::{Gate, Place, WaitingForPlace};

impl Gate {
    /// Puts a stream of messages behind the gate: it is polled only while a message may be taken.
    ///
    /// Each message has its [`Place`]. A stream that has no message yet holds none.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use futures_util::StreamExt;
    /// use halfopen::{CircuitBreaker, Gate};
    ///
    /// let breaker = CircuitBreaker::builder("database").build();
    /// let queue = futures_util::stream::iter(["tea", "milk"]);
    ///
    /// let mut messages = Gate::new(breaker.clone()).messages(queue);
    /// while let Some(message) = messages.next().await {
    ///     let stored = breaker.call(|| async { Ok::<_, std::io::Error>(message.len()) }).await;
    ///     stored.unwrap(); // acknowledge the message, or leave it to the broker
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// `next` of the stream is cancel safe if that of the inner stream is: no message is between the two.
    pub fn messages<S: Stream>(&self, stream: S) -> GatedMessages<S> {
        GatedMessages { stream, gate: self.clone(), waiting: None }
    }
}

pin_project! {
    /// A stream of messages behind a [`Gate`]; returned by [`Gate::messages`].
    #[must_use = "streams do nothing unless polled"]
    pub struct GatedMessages<S> {
        #[pin]
        stream: S,
        gate: Gate,
        waiting: Option<WaitingForPlace>,
    }
}

impl<S> GatedMessages<S> {
    /// Returns the gate.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns the inner stream.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Stream> Stream for GatedMessages<S> {
    type Item = Gated<S::Item>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let Poll::Ready(place) = this.gate.poll_open(this.waiting, context) else { return Poll::Pending };
        // Without a message the place is dropped, and another stream of the gate can have it.
        this.stream.poll_next(context).map(|message| Some(Gated { message: message?, place }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<S: FusedStream> FusedStream for GatedMessages<S> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for GatedMessages<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatedMessages").field("stream", &self.stream).field("gate", &self.gate).finish()
    }
}

/// A message that has passed a [`Gate`], and its place, which is free again when the message is dropped.
#[derive(Debug)]
pub struct Gated<T> {
    message: T,
    place: Place,
}

impl<T> Gated<T> {
    /// Returns the message, and frees its place: for messages that are collected before they are handled.
    pub fn into_inner(self) -> T {
        self.message
    }

    /// Returns the message and its place.
    pub fn into_parts(self) -> (T, Place) {
        (self.message, self.place)
    }
}

impl<T, E> Gated<Result<T, E>> {
    /// Returns the message of a result with its place, or the error, which has none.
    ///
    /// # Errors
    ///
    /// The error of the stream.
    pub fn transpose(self) -> Result<Gated<T>, E> {
        Ok(Gated { message: self.message?, place: self.place })
    }
}

impl<T> Deref for Gated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.message
    }
}

impl<T> DerefMut for Gated<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.message
    }
}
