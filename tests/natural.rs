//! The first test of a user: fail until the breaker opens, admit the probe, close it.

use halfopen::{CircuitBreaker, State};
use test_support::breaker::on_manual_clock;

#[test]
fn the_natural_test_holds_with_every_jitter() {
    for seed in 0..200 {
        let (breaker, hands) = on_manual_clock(CircuitBreaker::builder("payments").seed(seed));

        while breaker.state() == State::Closed {
            let _ = breaker.call_blocking(|| Err::<(), _>("connection refused"));
        }
        assert_eq!(breaker.state(), State::Open, "with seed {seed}");

        let wait = hands.advance_to_probe(&breaker);
        assert_eq!(breaker.state(), State::HalfOpen, "with seed {seed}, after {wait:?}");

        breaker.call_blocking(|| Ok::<_, &str>("paid")).unwrap();
        assert_eq!(breaker.state(), State::Closed, "with seed {seed}");
    }
}

#[test]
fn less_than_the_wait_leads_to_no_probe() {
    for seed in 0..200 {
        let (breaker, hands) = on_manual_clock(CircuitBreaker::builder("payments").seed(seed));
        while breaker.state() == State::Closed {
            let _ = breaker.call_blocking(|| Err::<(), _>("connection refused"));
        }

        let wait = breaker.snapshot().retry_after.unwrap();
        hands.advance(wait / 2);
        assert_eq!(breaker.state(), State::Open, "with seed {seed}, half of {wait:?}");
        assert!(hands.advance_to_probe(&breaker) <= wait - wait / 2, "with seed {seed}: only what is left");
        assert_eq!(breaker.state(), State::HalfOpen, "with seed {seed}");
    }
}
