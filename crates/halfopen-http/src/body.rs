use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Buf;
use halfopen::Outcome;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::grpc_web::WebTrailers;
use crate::retry_after::retry_after_now;
use crate::{GrpcCode, Head, WatchedCall};

pin_project! {
    /// A response body that carries the permit of its call.
    ///
    /// Data, trailers, errors, size hint and end of stream are those of the inner body. The call is
    /// recorded at the first of these events:
    ///
    /// - A trailers frame: by its `grpc-status`, or like the end of the body without one. The trailers of
    ///   gRPC-web (`application/grpc-web` and its text variant) are parsed from the data.
    /// - An error: a failure, or ignored if the caller's own side caused it
    ///   ([`is_local`](crate::is_local)).
    /// - The end of the body: for plain HTTP, a success, or a failure if the body is shorter than the
    ///   lower bound of its size hint, as a truncated HTTP/2 body can be. For gRPC, `Unknown`, as the
    ///   status is missing, unless the head had a `grpc-status` of 0.
    /// - A drop before the end: a failure if the deadline of the request has passed. Otherwise, for gRPC,
    ///   abandoned, or ignored after the first data frame: a subscriber that leaves is no evidence. Plain
    ///   HTTP has its status in the head, so the call is a success, unless the reader was waiting for a
    ///   frame when the body was dropped, which abandons the call.
    ///
    /// The first data frame ends the duration of the call for a slow-call rule
    /// (see [`measure_to_end`](WatchedCall::measure_to_end)) and records a half-open probe as a success,
    /// so that a stream does not hold the slot of a probe. The end of such a stream counts as one more
    /// call in the closed state that the probe began, and as late once the breaker has left that state
    /// (see [`StreamEnd`](halfopen::adapter::StreamEnd)).
    ///
    /// A panic of the inner body is recorded as a failure and propagates. Created by
    /// [`WatchedCall::finish`]; see [`WatchedCall`] for an example.
    pub struct WatchedBody<B> {
        #[pin]
        inner: B,
        watch: Option<Watch>,
    }
}

/// The state of a call whose body is being read.
#[derive(Debug)]
struct Watch {
    call: WatchedCall,
    expected: Expected,
    data_seen: bool,
    /// The last poll for a frame returned `Pending`.
    waiting: bool,
    /// A method of the body that takes `&self` panicked.
    panicked: AtomicBool,
}

/// The properties of a body that follow from the head of its response.
#[derive(Debug)]
pub(crate) struct Expected {
    head: Head,
    /// The code of a gRPC response that ends without a status.
    otherwise: GrpcCode,
    /// The lower bound of the bytes that remain.
    missing: u64,
    web: Option<Box<WebTrailers>>,
}

impl Expected {
    /// Reads the head of `response`. `empty` marks a response to `HEAD`, which has a length but no body.
    pub(crate) fn of<B: Body>(head: Head, response: &Response<B>, empty: bool) -> Expected {
        let headers = response.headers();
        // Answers to HEAD, and these statuses, declare the length of a body that does not come.
        let bodiless = empty || matches!(response.status().as_u16(), 100..200 | 204 | 304);
        let grpc = matches!(head, Head::InTrailers(_));
        Expected {
            head,
            // Looked up for gRPC alone: a header costs more than all else that is read here.
            otherwise: grpc.then(|| GrpcCode::from_headers(headers)).flatten().unwrap_or(GrpcCode::Unknown),
            missing: if bodiless { 0 } else { response.body().size_hint().lower() },
            web: grpc.then(|| WebTrailers::of(headers)).flatten().map(Box::new),
        }
    }
}

impl<B> WatchedBody<B> {
    /// Creates a body that records nothing.
    #[inline]
    pub fn unwatched(inner: B) -> WatchedBody<B> {
        WatchedBody { inner, watch: None }
    }

    #[inline]
    pub(crate) fn watched(inner: B, expected: Expected, call: WatchedCall) -> WatchedBody<B> {
        let panicked = AtomicBool::new(false);
        WatchedBody {
            inner,
            watch: Some(Watch { call, expected, data_seen: false, waiting: false, panicked }),
        }
    }

    /// Queries the inner body and notes a panic before it propagates.
    fn ask<T>(&self, question: impl FnOnce(&B) -> T) -> T {
        struct Panicked<'a>(&'a AtomicBool);
        impl Drop for Panicked<'_> {
            fn drop(&mut self) {
                // Relaxed: read only through `&mut`, which the drop of the body has.
                self.0.store(true, Ordering::Relaxed);
            }
        }
        // These methods take `&self`, so a panic in one cannot end the call; the flag remembers it until the body
        // is dropped.
        let note = self.watch.as_ref().map(|watch| Panicked(&watch.panicked));
        let answer = question(&self.inner);
        // Reached only without a panic, so that the guard does not set its flag.
        std::mem::forget(note);
        answer
    }

    /// Returns a reference to the inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Converts into the inner body. A call that has not been recorded yet is recorded as by a drop.
    #[inline]
    pub fn into_inner(self) -> B {
        self.inner
    }

    /// Returns `true` if the call has not been recorded yet.
    pub fn is_watched(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.call.is_held())
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
        let Some(watch) = this.watch.as_mut() else { return this.inner.poll_frame(context) };
        // A reader that drops the body while it waits for a frame has not received the whole body. One that drops it
        // between two frames has seen enough.
        watch.waiting = true;
        let mut ended = false;
        let frame = watch.call.poll_with(|| {
            let frame = this.inner.as_mut().poll_frame(context);
            let data = matches!(&frame, Poll::Ready(Some(Ok(frame))) if frame.is_data());
            ended = data && this.inner.is_end_stream();
            frame
        });
        // Pending leaves `waiting` set: a drop from here on leaves a frame that was asked for.
        if let Poll::Ready(frame) = &frame {
            if watch.saw(frame.as_ref().map(Result::as_ref), ended) {
                watch.waiting = false;
            } else {
                *this.watch = None;
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.ask(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.ask(Body::size_hint)
    }
}

impl Watch {
    /// Processes a frame. Returns `false` if the call has been recorded.
    fn saw<D: Buf, E: 'static>(&mut self, frame: Option<Result<&Frame<D>, &E>>, ended: bool) -> bool {
        match frame {
            None => self.ended(None),
            Some(Err(error)) => {
                let outcome = self.call.outcome_of_body_error(error);
                self.call.conclude(outcome, None);
            }
            Some(Ok(frame)) => match frame.data_ref() {
                None if frame.is_trailers() => self.ended(frame.trailers_ref()),
                data => {
                    self.look_at(data);
                    // A reader may not poll again after the last byte of a known length, or after a status.
                    if !ended && !self.has_web_trailers() {
                        self.data(data.is_some());
                        return true;
                    }
                    self.ended(None);
                }
            },
        }
        false
    }

    fn look_at<D: Buf>(&mut self, data: Option<&D>) {
        let Some(data) = data else { return };
        // Saturates, because a size hint is a lower bound and more may come.
        self.expected.missing = self.expected.missing.saturating_sub(data.remaining() as u64);
        if let Some(web) = &mut self.expected.web {
            web.look_at(data);
        }
    }

    fn has_web_trailers(&self) -> bool {
        self.expected.web.as_ref().is_some_and(|web| web.trailers().is_some())
    }

    fn data(&mut self, is_data: bool) {
        // The first data shows that the callee answers, by which a probe is decided: its stream may live for days.
        if is_data && !self.data_seen {
            self.data_seen = true;
            self.call.first_data();
        }
    }

    fn ended(&mut self, trailers: Option<&HeaderMap>) {
        // gRPC-Web sends its trailers as the last data of the body.
        let web = self.expected.web.take();
        let trailers = trailers.or_else(|| web.as_ref()?.trailers());
        let outcome = match self.expected.head {
            Head::Decided(outcome) => outcome,
            // The body ended before the length that its head has declared: it is truncated.
            Head::IfBodyEnds if self.expected.missing > 0 => Outcome::Failure,
            Head::IfBodyEnds => Outcome::Success,
            Head::InTrailers(rules) => {
                // Trailers that could not be read are no evidence of a failure.
                let unread = web.as_ref().is_some_and(|web| web.is_lost());
                let otherwise = if unread { GrpcCode::Ok } else { self.expected.otherwise };
                let code = trailers.and_then(GrpcCode::from_headers).unwrap_or(otherwise);
                rules.outcome_in_time(code, || self.call.timed_out())
            }
        };
        let hint = trailers.filter(|_| outcome.is_failure()).and_then(retry_after_now);
        self.call.conclude(outcome, hint);
    }

    /// Records a call whose body is dropped before its end.
    #[cold]
    fn drop_slow(&mut self) {
        // A reader that gives up at its deadline drops the body: for the callee that is a timeout.
        if self.call.timed_out() || *self.panicked.get_mut() {
            return self.call.conclude(Outcome::Failure, None);
        }
        match self.expected.head {
            Head::Decided(outcome) => self.call.conclude(outcome, None),
            // Between two frames the reader had received all that it asked for, so the callee has done its part.
            Head::IfBodyEnds if !self.waiting => self.call.conclude(Outcome::Success, None),
            // The status of a stream that the reader leaves is never received, and its data arrived.
            Head::InTrailers(_) if self.data_seen => self.call.conclude(Outcome::Ignored, None),
            Head::IfBodyEnds | Head::InTrailers(_) => self.call.abandon(),
        }
    }
}

impl Drop for Watch {
    #[inline]
    fn drop(&mut self) {
        if self.call.is_held() {
            self.drop_slow();
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
