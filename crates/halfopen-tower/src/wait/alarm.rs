use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, Sleep, sleep_until};

// A deadline has to fit into the runtime's clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Wakes a task when a moment of a breaker's clock has come, by tokio's clock.
///
/// In tokio's paused time a timer ends without any time for a breaker on another clock. Such a breaker still
/// refuses until the same moment; it is asked once more and then no longer waited for, which would spin for as long
/// as the two clocks differ, and carry tokio's clock away.
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// On the breaker's clock.
    until: Option<Duration>,
    set_at: StdInstant,
    set_for: Duration,
}

pub(super) enum Ring {
    /// The moment may have come: ask the breaker.
    Ask,
    /// It has come by tokio's clock alone, and the breaker was asked.
    GiveUp,
}

impl Alarm {
    pub(super) fn new() -> Self {
        let sleep = Box::pin(sleep_until(Instant::now()));
        Self { sleep, until: None, set_at: real_now(), set_for: Duration::ZERO }
    }

    /// Rings when the moment `until` has come, which is `remaining` from now.
    pub(super) fn poll_until(
        &mut self,
        until: Duration,
        remaining: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Ring> {
        let remaining = remaining.min(LONGEST);
        let same = self.until == Some(until);
        if same && self.sleep.is_elapsed() && !self.took_real_time() {
            return Poll::Ready(Ring::GiveUp);
        }
        // Never later for the same moment: a task that is woken often must not put it off.
        if !same || self.sleep.is_elapsed() || Instant::now() + remaining < self.sleep.deadline() {
            self.until = Some(until);
            self.set(remaining);
        }
        self.sleep.as_mut().poll(cx).map(|()| Ring::Ask)
    }

    fn set(&mut self, remaining: Duration) {
        self.sleep.as_mut().reset(Instant::now() + remaining);
        self.set_at = real_now();
        self.set_for = remaining;
    }

    fn took_real_time(&self) -> bool {
        real_now().saturating_duration_since(self.set_at) >= self.set_for
    }
}

fn real_now() -> StdInstant {
    #[expect(clippy::disallowed_methods, reason = "to tell tokio's paused time from real time")]
    StdInstant::now()
}
