//! The edges of a rate rule.

use super::*;

#[test]
fn a_minimum_of_u32_max_is_never_reached_and_no_calls_are_no_rate() {
    let rate = |minimum_calls| Rule::FailureRate { threshold_ppb: 1, minimum_calls };
    let many = Counts { calls: 1 << 40, failures: 1 << 40, ..Counts::default() };
    assert!(fired(&[rate(u32::MAX)], &many).is_none());
    assert!(fired(&[rate(0)], &Counts::default()).is_none());
}
