use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use crate::error::timed_out;

pin_project! {
    /// A stream that waits for each item at most for the limit. It ends with the error of a wait that was longer.
    pub(crate) struct Within<S> {
        #[pin]
        stream: S,
        limit: Option<Duration>,
        // The wait for the next item, if one is in progress.
        #[pin]
        wait: Option<Sleep>,
        timed_out: bool,
    }
}

impl<S> Within<S> {
    pub(crate) fn new(limit: Option<Duration>, stream: S) -> Within<S> {
        Within { stream, limit, wait: None, timed_out: false }
    }
}

impl<T, S: Stream<Item = sqlx::Result<T>>> Stream for Within<S> {
    type Item = sqlx::Result<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<sqlx::Result<T>>> {
        let mut this = self.project();
        if *this.timed_out {
            return Poll::Ready(None);
        }
        if let Poll::Ready(item) = this.stream.poll_next(cx) {
            this.wait.set(None);
            return Poll::Ready(item);
        }
        let Some(limit) = *this.limit else { return Poll::Pending };
        if this.wait.is_none() {
            this.wait.set(Some(sleep(limit)));
        }
        let wait = this.wait.as_pin_mut().expect("it was set above");
        ready!(wait.poll(cx));
        *this.timed_out = true;
        Poll::Ready(Some(Err(timed_out(limit))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_its_first_long_wait() {
        let items = stream::iter(0..).then(|seconds| async move {
            sleep(Duration::from_secs(seconds)).await;
            sqlx::Result::Ok(seconds)
        });
        let limit = Duration::from_millis(2500);
        let within = Within::new(Some(limit), items.boxed());
        let ended: Vec<_> = within.map(|item| item.map_err(|error| error.to_string())).collect().await;
        assert_eq!(ended[..3], [Ok(0), Ok(1), Ok(2)], "each wait has the whole limit");
        assert_eq!(ended.len(), 4, "the error is the last item: {ended:?}");
        assert!(
            ended[3].as_ref().is_err_and(|error| error.ends_with("no result within 2s500ms")),
            "{ended:?}"
        );
    }
}
