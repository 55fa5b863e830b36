use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as StdInstant};

use tokio::time::{Instant, Sleep, sleep_until};

// The longest sleep. tokio's clock panics on a deadline that overflows it, and open periods go up to `Duration::MAX`.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A timer on tokio's clock for a deadline on the clock of a breaker.
///
/// Under tokio's paused time the timer can expire while no time passes for a breaker with another clock. That breaker
/// still refuses until the same deadline. It is read once more, and then the wait ends: resetting the timer would
/// busy-loop for as long as the clocks differ, and each turn would advance tokio's clock.
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// The deadline, on the breaker's clock.
    until: Option<Duration>,
    set_at: StdInstant,
    set_for: Duration,
}

pub(super) enum Ring {
    /// The deadline may have passed: read the breaker.
    Ask,
    /// The deadline has passed on tokio's clock only, and the breaker was read since.
    GiveUp,
}

impl Alarm {
    pub(super) fn new() -> Self {
        let sleep = Box::pin(sleep_until(Instant::now()));
        Self { sleep, until: None, set_at: real_now(), set_for: Duration::ZERO }
    }

    /// Polls for the deadline `until`, which is `remaining` from now.
    pub(super) fn poll_until(
        &mut self,
        until: Duration,
        remaining: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Ring> {
        let remaining = remaining.min(LONGEST);
        // By the deadline and not by the rest of the wait, which is another one at each poll.
        let same = self.until == Some(until);
        // A paused clock of tokio has jumped to the end of the sleep while the breaker's own clock stood still.
        // Sleeping again would jump again, without end.
        if same && self.sleep.is_elapsed() && !self.took_real_time() {
            return Poll::Ready(Ring::GiveUp);
        }
        // The timer for one deadline only ever moves earlier. Otherwise a task that is woken often would postpone it
        // again and again.
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
    #[expect(clippy::disallowed_methods, reason = "distinguishes tokio's paused time from real time")]
    StdInstant::now()
}
