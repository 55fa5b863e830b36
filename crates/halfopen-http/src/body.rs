use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use halfopen::Outcome;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::retry_after::retry_after_now;
use crate::{GrpcCode, Head, WatchedCall};

pin_project! {
    /// A response body that carries the permit of its call.
    ///
    /// Data, trailers, errors, size hint and end of stream are those of the body within. The call is
    /// recorded at the first of these:
    ///
    /// - a trailers frame: by its `grpc-status` (without one: `Unknown`); for plain HTTP a success;
    /// - an error: a failure, or ignored if it is the rejection of a breaker further in;
    /// - the end: a success for plain HTTP; for gRPC `Unknown`, for its status never came;
    /// - a drop before that: a failure if the request's own deadline has passed. Else, for gRPC,
    ///   abandoned, or ignored if data had come: a subscriber that leaves says nothing. Plain HTTP
    ///   had its status in the head, so a reader that stops is content and the call a success; only
    ///   one that was waiting for the body when it was dropped gave up, and abandoned the call.
    ///
    /// The first data frame stops the clock of a slow-call rule
    /// ([`measure_to_end`](WatchedCall::measure_to_end) changes that) and settles a half-open probe
    /// as a success, so that a stream holds no probe's slot. How such a stream ends is recorded
    /// through a second permit, taken then, if the breaker is closed.
    ///
    /// A panic that comes out of the body within is a failure and goes on. Made by
    /// [`WatchedCall::finish`], which has an example.
    pub struct WatchedBody<B> {
        #[pin]
        inner: B,
        watch: Option<Watch>,
    }

    impl<B> PinnedDrop for WatchedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(watch) = this.project().watch.take() {
                watch.dropped();
            }
        }
    }
}

/// What is not yet known of a call whose body is being read.
#[derive(Debug)]
struct Watch {
    call: WatchedCall,
    head: Head,
    data_seen: bool,
    /// The reader has asked for a frame that has not come.
    waiting: bool,
}

impl<B> WatchedBody<B> {
    /// A body whose call is settled already, or that belongs to none.
    pub fn unwatched(inner: B) -> WatchedBody<B> {
        WatchedBody { inner, watch: None }
    }

    pub(crate) fn watched(inner: B, head: Head, call: WatchedCall) -> WatchedBody<B> {
        WatchedBody { inner, watch: Some(Watch { call, head, data_seen: false, waiting: false }) }
    }

    /// The body within.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Whether the call is still to be recorded.
    pub fn is_watched(&self) -> bool {
        self.watch.is_some()
    }
}

impl<B> Body for WatchedBody<B>
where
    B: Body,
    B::Error: 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        // Out of `self`, so that a panic below finds nothing left to judge in our own drop.
        let Some(mut watch) = this.watch.take() else { return this.inner.poll_frame(context) };
        watch.waiting = true;
        let Poll::Ready(frame) = watch.call.poll_with(|| this.inner.as_mut().poll_frame(context)) else {
            *this.watch = Some(watch);
            return Poll::Pending;
        };
        watch.waiting = false;
        let ended = this.inner.is_end_stream();
        *this.watch = watch.saw(frame.as_ref().map(Result::as_ref), ended);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Watch {
    /// What this frame says; gives itself back if there is more to come.
    fn saw<D, E: 'static>(mut self, frame: Option<Result<&Frame<D>, &E>>, ended: bool) -> Option<Watch> {
        match frame {
            None => self.ended(None),
            Some(Err(error)) => {
                let outcome = self.call.outcome_of_body_error(error);
                self.call.conclude(outcome, None);
            }
            Some(Ok(frame)) => match frame.trailers_ref() {
                Some(trailers) => self.ended(Some(trailers)),
                // Nobody need ask again after the last byte of a known length.
                None if ended => self.ended(None),
                None => {
                    self.data(frame.is_data());
                    return Some(self);
                }
            },
        }
        None
    }

    fn data(&mut self, is_data: bool) {
        if is_data && !self.data_seen {
            self.data_seen = true;
            self.call.first_data();
        }
    }

    fn ended(&mut self, trailers: Option<&HeaderMap>) {
        let outcome = match self.head {
            Head::Decided(outcome) => outcome,
            Head::IfBodyEnds => Outcome::Success,
            Head::InTrailers(rules) => {
                let code = trailers.and_then(GrpcCode::from_headers).unwrap_or(GrpcCode::Unknown);
                rules.outcome_in_time(code, self.call.timed_out())
            }
        };
        let hint = trailers.filter(|_| outcome == Outcome::Failure).and_then(retry_after_now);
        self.call.conclude(outcome, hint);
    }

    fn dropped(mut self) {
        if self.call.timed_out() {
            return self.call.conclude(Outcome::Failure, None);
        }
        match self.head {
            Head::Decided(outcome) => self.call.conclude(outcome, None),
            Head::IfBodyEnds if !self.waiting => self.call.conclude(Outcome::Success, None),
            Head::InTrailers(_) if self.data_seen => self.call.conclude(Outcome::Ignored, None),
            Head::IfBodyEnds | Head::InTrailers(_) => self.call.abandon(),
        }
    }
}

impl<B: Default> Default for WatchedBody<B> {
    fn default() -> WatchedBody<B> {
        WatchedBody::unwatched(B::default())
    }
}

impl<B: fmt::Debug> fmt::Debug for WatchedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedBody").field("inner", &self.inner).field("watch", &self.watch).finish()
    }
}

#[cfg(test)]
mod tests;
