//! The peers, each in the configuration closest to ours, and the plain baselines.

mod floor;
mod ring;
mod towers;

pub(crate) use floor::{Floor, OpenFloor, Striped};
pub(crate) use ring::MutexRing;
pub(crate) use towers::{breaker_two, breaker_two_direct, resilience, seatbelt};

use failsafe::backoff::{self, Constant};
use failsafe::failure_policy::{self, ConsecutiveFailures, SuccessRateOverTimeWindow};
use failsafe::{Config, StateMachine};
use recloser::Recloser;

use crate::configs::LONG;

/// Half of the last 100 calls.
pub(crate) fn recloser() -> Recloser {
    Recloser::custom().error_rate(0.5).closed_len(100).half_open_len(1).open_wait(LONG).build()
}

/// Five in a row.
pub(crate) fn failsafe_consecutive() -> StateMachine<ConsecutiveFailures<Constant>, ()> {
    let policy = failure_policy::consecutive_failures(5, backoff::constant(LONG));
    Config::new().failure_policy(policy).build()
}

/// Half of the calls of the last ten seconds.
pub(crate) fn failsafe_time() -> StateMachine<SuccessRateOverTimeWindow<Constant>, ()> {
    let window = std::time::Duration::from_secs(10);
    let policy = failure_policy::success_rate_over_time_window(0.5, 10, window, backoff::constant(LONG));
    Config::new().failure_policy(policy).build()
}
