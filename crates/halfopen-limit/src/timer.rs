//! The end of a wait: tokio's timer, or nothing where no wait has an end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(all(feature = "tokio", not(loom)))]
pin_project_lite::pin_project! {
    /// The end of a wait; never, until it is set.
    #[derive(Default)]
    pub(crate) struct Timer {
        #[pin]
        sleep: Option<tokio::time::Sleep>,
    }
}

/// Never: without tokio's timer no wait has an end.
#[cfg(not(all(feature = "tokio", not(loom))))]
#[derive(Default)]
pub(crate) struct Timer;

#[cfg(all(feature = "tokio", not(loom)))]
impl Timer {
    /// Sets the timer to so long from now; [`None`] is never.
    pub(crate) fn set_to(self: Pin<&mut Self>, wait: Option<Duration>) {
        self.project().sleep.set(wait.map(tokio::time::sleep));
    }
}

#[cfg(not(all(feature = "tokio", not(loom))))]
impl Timer {
    pub(crate) fn set_to(self: Pin<&mut Self>, wait: Option<Duration>) {
        debug_assert!(wait.is_none() || cfg!(loom), "only the feature `tokio` can set a wait");
    }
}

impl Future for Timer {
    type Output = ();

    #[cfg(all(feature = "tokio", not(loom)))]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(cx),
            // No end of the wait is set: only a turn or a slot wakes the task.
            None => Poll::Pending,
        }
    }

    #[cfg(not(all(feature = "tokio", not(loom))))]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
