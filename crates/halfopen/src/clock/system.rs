//! The clocks of the operating system.

#[cfg(any(not(any(target_os = "linux", target_os = "android")), miri))]
pub(super) use anywhere::{lagging, now};
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
pub(super) use linux::{lagging, now};

#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
mod linux {
    use rustix::time::{ClockId, Timespec, clock_gettime};

    use crate::clock::Tick;

    /// The clock of `std::time::Instant`, as nanoseconds since the start of the machine.
    #[inline]
    pub(in crate::clock) fn now() -> Tick {
        tick(clock_gettime(ClockId::Monotonic))
    }

    /// The same clock as it was at the last timer interrupt of the kernel, never ahead of [`now`].
    #[inline]
    pub(in crate::clock) fn lagging() -> Option<Tick> {
        Some(tick(clock_gettime(ClockId::MonotonicCoarse)))
    }

    #[inline]
    fn tick(time: Timespec) -> Tick {
        // Neither is negative: a monotonic clock begins at zero.
        let seconds = time.tv_sec.unsigned_abs().saturating_mul(1_000_000_000);
        Tick::of(seconds.saturating_add(time.tv_nsec.unsigned_abs()))
    }
}

#[cfg(any(not(any(target_os = "linux", target_os = "android")), miri))]
mod anywhere {
    use std::sync::OnceLock;
    use std::time::Instant;

    use crate::clock::{Tick, nanos};

    #[inline]
    pub(in crate::clock) fn now() -> Tick {
        static START: OnceLock<Instant> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = Instant::now();
        Tick(nanos(now.saturating_duration_since(*START.get_or_init(|| now))))
    }

    pub(in crate::clock) fn lagging() -> Option<Tick> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{lagging, now};

    #[test]
    fn a_lagging_reading_is_never_ahead() {
        for _ in 0..10_000 {
            let earlier = now();
            let Some(lagging) = lagging() else { return };
            assert!(lagging <= now(), "{lagging:?}");
            assert!(earlier.since(lagging) < 1_000_000_000, "{lagging:?} is the same clock as {earlier:?}");
        }
    }
}
