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
    /// recorded at the first of these:
    ///
    /// - a trailers frame: by its `grpc-status` (without one: `Unknown`); for plain HTTP a success. The
    ///   trailers of gRPC-web (`application/grpc-web`, its text variant too) are read from the body;
    /// - an error: a failure, or ignored if it is the doing of the caller's own side
    ///   ([`is_local`](crate::is_local));
    /// - the end: a success for plain HTTP, or a failure if fewer bytes came than the body's size hint
    ///   promised, which is how a cut HTTP/2 body can end; for gRPC `Unknown`, as its status is missing,
    ///   unless the head had a `grpc-status` of 0;
    /// - a drop before that: a failure if the request's own deadline has passed. Else, for gRPC,
    ///   abandoned, or ignored if data had come: a subscriber that leaves is no evidence. Plain HTTP had
    ///   its status in the head, so a reader that stops has what it wants and the call is a success; only
    ///   one that was waiting for the body when it was dropped gave up, and abandoned the call.
    ///
    /// The first data frame stops the clock of a slow-call rule
    /// ([`measure_to_end`](WatchedCall::measure_to_end) changes that) and settles a half-open probe
    /// as a success, so that a stream holds no probe's slot. The end of such a stream counts as one more
    /// call in the closed state that the probe began, and as late once the breaker has left it
    /// ([`StreamEnd`](halfopen::adapter::StreamEnd)).
    ///
    /// A panic of the inner body is a failure and is passed on. Created by [`WatchedCall::finish`],
    /// which has an example.
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
    expected: Expected,
    data_seen: bool,
    /// The reader has asked for a frame that has not come.
    waiting: bool,
    /// The body panicked when it was asked through a shared reference.
    panicked: AtomicBool,
}

/// What the head tells of a body.
#[derive(Debug)]
pub(crate) struct Expected {
    head: Head,
    /// The code of a gRPC answer that ends without another.
    otherwise: GrpcCode,
    /// The bytes that are still to come, at least.
    missing: u64,
    web: Option<Box<WebTrailers>>,
}

impl Expected {
    /// `empty`: a response to `HEAD`, whose length is that of a body which does not come.
    pub(crate) fn of<B: Body>(head: Head, response: &Response<B>, empty: bool) -> Expected {
        let headers = response.headers();
        let bodiless = empty || matches!(response.status().as_u16(), 100..200 | 204 | 304);
        let grpc = matches!(head, Head::InTrailers(_));
        Expected {
            head,
            otherwise: GrpcCode::from_headers(headers).unwrap_or(GrpcCode::Unknown),
            missing: if bodiless { 0 } else { response.body().size_hint().lower() },
            web: WebTrailers::of(headers).filter(|_| grpc).map(Box::new),
        }
    }
}

impl<B> WatchedBody<B> {
    /// A body that records nothing.
    pub fn unwatched(inner: B) -> WatchedBody<B> {
        WatchedBody { inner, watch: None }
    }

    pub(crate) fn watched(inner: B, expected: Expected, call: WatchedCall) -> WatchedBody<B> {
        let panicked = AtomicBool::new(false);
        WatchedBody {
            inner,
            watch: Some(Watch { call, expected, data_seen: false, waiting: false, panicked }),
        }
    }

    /// Asks the inner body; a panic is noted before it passes on.
    fn ask<T>(&self, question: impl FnOnce(&B) -> T) -> T {
        struct Panicked<'a>(&'a AtomicBool);
        impl Drop for Panicked<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let note = self.watch.as_ref().map(|watch| Panicked(&watch.panicked));
        let answer = question(&self.inner);
        std::mem::forget(note);
        answer
    }

    /// The inner body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Returns whether the call is still to be recorded.
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
        let (frame, ended) = watch.call.poll_with(|| {
            let frame = this.inner.as_mut().poll_frame(context);
            let data = matches!(&frame, Poll::Ready(Some(Ok(frame))) if frame.is_data());
            (frame, data && this.inner.is_end_stream())
        });
        let Poll::Ready(frame) = frame else {
            *this.watch = Some(watch);
            return Poll::Pending;
        };
        watch.waiting = false;
        *this.watch = watch.saw(frame.as_ref().map(Result::as_ref), ended);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ask(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.ask(Body::size_hint)
    }
}

impl Watch {
    /// Looks at a frame; returns itself if there is more to come.
    fn saw<D: Buf, E: 'static>(mut self, frame: Option<Result<&Frame<D>, &E>>, ended: bool) -> Option<Watch> {
        match frame {
            None => self.ended(None),
            Some(Err(error)) => {
                let outcome = self.call.outcome_of_body_error(error);
                self.call.conclude(outcome, None);
            }
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.ended(Some(trailers));
                    return None;
                }
                self.look_at(frame.data_ref());
                // Nothing need be asked again after the last byte of a known length, or after a status.
                if ended || self.has_web_trailers() {
                    self.ended(None);
                    return None;
                }
                self.data(frame.is_data());
                return Some(self);
            }
        }
        None
    }

    fn look_at<D: Buf>(&mut self, data: Option<&D>) {
        let Some(data) = data else { return };
        self.expected.missing = self.expected.missing.saturating_sub(data.remaining() as u64);
        if let Some(web) = &mut self.expected.web {
            web.look_at(data);
        }
    }

    fn has_web_trailers(&self) -> bool {
        self.expected.web.as_ref().is_some_and(|web| web.trailers().is_some())
    }

    fn data(&mut self, is_data: bool) {
        if is_data && !self.data_seen {
            self.data_seen = true;
            self.call.first_data();
        }
    }

    fn ended(&mut self, trailers: Option<&HeaderMap>) {
        let web = self.expected.web.take();
        let trailers = trailers.or_else(|| web.as_ref()?.trailers());
        let outcome = match self.expected.head {
            Head::Decided(outcome) => outcome,
            Head::IfBodyEnds if self.expected.missing > 0 => Outcome::Failure,
            Head::IfBodyEnds => Outcome::Success,
            Head::InTrailers(rules) => {
                let unread = web.as_ref().is_some_and(|web| web.is_lost());
                let otherwise = if unread { GrpcCode::Ok } else { self.expected.otherwise };
                let code = trailers.and_then(GrpcCode::from_headers).unwrap_or(otherwise);
                rules.outcome_in_time(code, self.call.timed_out())
            }
        };
        let hint = trailers.filter(|_| outcome == Outcome::Failure).and_then(retry_after_now);
        self.call.conclude(outcome, hint);
    }

    fn dropped(mut self) {
        if self.call.timed_out() || *self.panicked.get_mut() {
            return self.call.conclude(Outcome::Failure, None);
        }
        match self.expected.head {
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
