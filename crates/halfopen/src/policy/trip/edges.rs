//! The edge cases of rate rules, and of the test whether a success can fire one.

use super::*;

#[test]
fn a_rate_needs_calls_and_its_minimum() {
    let rate = |minimum_calls| Rule::FailureRate { threshold_ppb: 1, minimum_calls };
    let many = Counts { calls: 1 << 40, failures: 1 << 40, ..Counts::default() };
    assert!(fired([rate(u32::MAX)], &many).is_none());
    assert!(fired([rate(0)], &Counts::default()).is_none());
}

#[test]
fn a_rate_is_reached_below_its_minimum() {
    let failed = Rule::FailureRate { threshold_ppb: 500_000_000, minimum_calls: 100 };
    let slow = Rule::SlowCallRate {
        threshold_ppb: 500_000_000,
        slow_after_nanos: 1,
        minimum_calls: 100,
        in_flight: false,
    };
    let of = |calls, failures, slow| Counts { calls, failures, slow, ..Counts::default() };
    for (rule, half, third) in [(failed, of(2, 1, 0), of(3, 1, 0)), (slow, of(2, 0, 1), of(3, 0, 1))] {
        assert!(reaches_a_rate([rule], &half), "{rule:?}");
        assert!(!reaches_a_rate([rule], &third), "{rule:?}");
        assert!(!reaches_a_rate([rule], &Counts::default()), "{rule:?}");
        assert!(reaches_a_rate([Rule::FailureCount(1), rule], &half), "any of them");
    }
    assert!(!reaches_a_rate([failed], &of(2, 0, 2)));
    assert!(!reaches_a_rate([slow], &of(2, 2, 0)));
}
