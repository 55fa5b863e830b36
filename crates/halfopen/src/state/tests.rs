//! What a state and a cause are called.

use super::*;
use crate::TripReason;

#[test]
fn a_state_has_a_name_for_documents_and_one_for_people() {
    let names = State::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]);
    let words = State::ALL.iter().map(State::to_string).collect::<Vec<_>>();
    assert_eq!(words, ["closed", "open", "half-open", "forced open", "disabled", "metrics only"]);
    assert_eq!(format!("{:>6}", State::Open), "  open", "it can be aligned");
}

#[test]
fn one_failure_is_told_in_the_singular() {
    let told = |reason, part| Cause { threshold: 1, part, ..Cause::plain(reason) }.to_string();
    assert_eq!(told(TripReason::ConsecutiveFailures, 1), "1 failure in a row, the limit is 1");
    assert_eq!(told(TripReason::FailureCount, 3), "3 failures in the window, the limit is 1");
}

#[test]
fn a_flag_that_is_set_twice_is_set() {
    let word = Word::new(1, State::Closed);
    let set = word.with_timed(true).with_weighed(true).with_generation(true);
    assert_eq!(set.with_timed(true).with_weighed(true).with_generation(true), set);
    assert_eq!(set.with_timed(false).with_weighed(false).with_generation(false), word);
}
