//! The edges of a rate rule, and whether successes are to be weighed against what lies in a window.

use super::*;

#[test]
fn a_minimum_of_u32_max_is_never_reached_and_no_calls_are_no_rate() {
    let rate = |minimum_calls| Rule::FailureRate { threshold_ppb: 1, minimum_calls };
    let many = Counts { calls: 1 << 40, failures: 1 << 40, ..Counts::default() };
    assert!(fired(&[rate(u32::MAX)], &many).is_none());
    assert!(fired(&[rate(0)], &Counts::default()).is_none());
}

#[test]
fn a_rate_is_reached_whatever_its_minimum_says_but_not_by_nothing() {
    let failed = Rule::FailureRate { threshold_ppb: 500_000_000, minimum_calls: 100 };
    let slow = Rule::SlowCallRate { threshold_ppb: 500_000_000, slow_after_nanos: 1, minimum_calls: 100 };
    let of = |calls, failures, slow| Counts { calls, failures, slow, ..Counts::default() };
    for (rule, half, third) in [(failed, of(2, 1, 0), of(3, 1, 0)), (slow, of(2, 0, 1), of(3, 0, 1))] {
        assert!(reaches_a_rate(&[rule], &half), "{rule:?}");
        assert!(!reaches_a_rate(&[rule], &third), "{rule:?}");
        assert!(!reaches_a_rate(&[rule], &Counts::default()), "{rule:?}");
        assert!(reaches_a_rate(&[Rule::FailureCount(1), rule], &half), "any of them");
    }
    assert!(!reaches_a_rate(&[failed], &of(2, 0, 2)));
    assert!(!reaches_a_rate(&[slow], &of(2, 2, 0)));
}
