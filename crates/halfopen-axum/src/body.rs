use std::pin::Pin;
use std::task::{Context, Poll};

use halfopen_http::WatchedBody;
use halfopen_limit::BulkheadPermit;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// A body under watch that holds its slot of the bulkhead until it has ended.
    pub(crate) struct HeldBody<B> {
        #[pin]
        body: WatchedBody<B>,
        slot: Option<BulkheadPermit>,
    }
}

impl<B> HeldBody<B> {
    pub(crate) fn new(body: WatchedBody<B>, slot: Option<BulkheadPermit>) -> Self {
        Self { body, slot }
    }
}

impl<B: Body> Body for HeldBody<B>
where
    WatchedBody<B>: Body,
{
    type Data = <WatchedBody<B> as Body>::Data;
    type Error = <WatchedBody<B> as Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = this.body.poll_frame(cx);
        // At the end or the error, and not only at the drop: a server may keep a finished body for a while.
        if let Poll::Ready(None | Some(Err(_))) = frame {
            *this.slot = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
