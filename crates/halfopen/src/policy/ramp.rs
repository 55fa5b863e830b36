//! The share of the calls that a half-open breaker admits once its probes have passed (S31).

use crate::clock::Tick;

/// Every call, in parts per billion.
pub(crate) const ALL: u64 = 1_000_000_000;

/// The initial share of a ramp: one call in ten.
const START: u64 = ALL / 10;

/// A ramp.
///
/// Calls are admitted by a credit: each attempt increases it by the current share, and each admission decreases it by
/// one call. The admitted calls are therefore spread evenly among the attempts, without random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ramp {
    length: u64,
    began: Tick,
    /// Below [`ALL`].
    credit: u64,
}

impl Ramp {
    /// Begins a ramp. Its first call is admitted.
    pub(crate) fn begin(length: u64, now: Tick) -> Ramp {
        Ramp { length, began: now, credit: ALL - START }
    }

    /// Returns the admitted share of the calls at `now`.
    pub(crate) fn share(&self, now: Tick) -> u64 {
        // A step back of the clock gives the initial share, not less than that.
        let elapsed = now.since(self.began);
        if elapsed >= self.length {
            return ALL;
        }
        START + scaled(ALL - START, elapsed, self.length)
    }

    /// Returns whether the next call would be admitted at `now`.
    pub(crate) fn admits(&self, now: Tick) -> bool {
        self.credit + self.share(now) >= ALL
    }

    /// Counts an attempt, and returns whether it is admitted.
    pub(crate) fn attempt(&mut self, now: Tick) -> bool {
        // The rest above one call stays, so that over many attempts the admitted part is the share.
        let credit = self.credit + self.share(now);
        let admitted = credit >= ALL;
        self.credit = if admitted { credit - ALL } else { credit };
        admitted
    }

    /// Returns the first instant at which the next call would be admitted, if no other call is attempted before.
    pub(crate) fn admits_at(&self) -> Tick {
        // The share grows linearly from `START`: the instant at which it makes up the missing part of one call.
        // Rounded up, as a task that is woken too early would only wait again.
        let missing = (ALL - self.credit).saturating_sub(START);
        let elapsed = (u128::from(missing) * u128::from(self.length)).div_ceil(u128::from(ALL - START));
        self.began.after(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// Returns the nanoseconds until every call is admitted.
    pub(crate) fn remaining(&self, now: Tick) -> u64 {
        self.length.saturating_sub(now.since(self.began))
    }
}

fn scaled(whole: u64, part: u64, parts: u64) -> u64 {
    let scaled = u128::from(whole) * u128::from(part) / u128::from(parts.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: u64 = 9_000;

    fn ramp() -> Ramp {
        Ramp::begin(LENGTH, Tick(1_000))
    }

    #[test]
    fn the_share_grows_from_a_tenth_to_all() {
        let shares = [(0, 100), (1_000, 100), (4_000, 400), (9_999, 999), (10_000, 1_000), (u64::MAX, 1_000)];
        for (now, thousandths) in shares {
            assert_eq!(ramp().share(Tick(now)) / 1_000_000, thousandths, "at {now}");
        }
    }

    #[test]
    fn the_longest_ramp_does_not_overflow() {
        let ramp = Ramp::begin(u64::MAX, Tick(0));
        assert_eq!(ramp.share(Tick(u64::MAX / 2)) / 1_000, 549_999);
        assert_eq!(ramp.share(Tick(u64::MAX)), ALL);
        assert!(ramp.admits_at() <= Tick(u64::MAX));
    }

    #[test]
    fn the_first_call_passes_and_then_one_in_ten() {
        let mut ramp = ramp();
        let passed: Vec<_> = (0..21).filter(|_| ramp.attempt(Tick(1_000))).collect();
        assert_eq!(passed, [0, 10, 20]);
    }

    #[test]
    fn a_full_share_admits_every_call() {
        let mut ramp = ramp();
        for _ in 0..100 {
            assert!(ramp.admits(Tick(10_000)));
            assert!(ramp.attempt(Tick(10_000)));
        }
    }

    #[test]
    fn the_moment_of_the_next_admission_is_exact() {
        for attempts in 0..12 {
            let mut ramp = ramp();
            for _ in 0..attempts {
                ramp.attempt(Tick(1_500));
            }
            let at = ramp.admits_at();
            assert!(ramp.admits(at), "after {attempts} attempts at {at:?}");
            assert!(at == Tick(1_000) || !ramp.admits(Tick(at.0 - 1)), "after {attempts} attempts, too late");
        }
    }

    #[test]
    fn a_clock_that_steps_back_leaves_the_first_share() {
        assert_eq!(ramp().share(Tick(0)), START);
        assert_eq!(ramp().remaining(Tick(0)), LENGTH);
    }
}
