use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

// A deadline has to fit into the runtime's clock; whoever waits longer is woken and asks again.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Wakes a task when a time has come, and can be set anew as often as it is polled.
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    pub(super) fn new() -> Self {
        Self(None)
    }

    /// Is ready when the time has come; without a time it never is.
    pub(super) fn poll_in(&mut self, time_left: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(time_left) = time_left else {
            self.0 = None;
            return Poll::Pending;
        };
        let deadline = Instant::now() + time_left.min(LONGEST);
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        sleep.as_mut().reset(deadline);
        sleep.as_mut().poll(cx)
    }
}
