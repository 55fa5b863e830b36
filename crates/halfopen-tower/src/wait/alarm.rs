use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

// A deadline has to fit into the runtime's clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Wakes a task when a moment of a breaker's clock has come, by tokio's clock.
///
/// tokio's clock and the breaker's own may run apart (tokio's paused time, a manual clock). A breaker that still
/// refuses until a moment that has come by tokio's clock is asked once more and then no longer waited for, which
/// would spin for as long as the two differ.
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// On the breaker's clock.
    until: Option<Duration>,
    rung: bool,
}

pub(super) enum Ring {
    First,
    /// For the same moment as before.
    Again,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self { sleep: None, until: None, rung: false }
    }

    /// Rings when the moment `until` has come, which is `remaining` from now.
    pub(super) fn poll_until(
        &mut self,
        until: Duration,
        remaining: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Ring> {
        let same = self.until == Some(until);
        if !same {
            self.until = Some(until);
            self.rung = false;
        }
        let deadline = Instant::now() + remaining.min(LONGEST);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // Never later for the same moment: a task that is woken often must not put it off.
        if !same || deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(if std::mem::replace(&mut self.rung, true) { Ring::Again } else { Ring::First })
    }
}
