use std::sync::atomic::Ordering;
use std::time::Duration;

use halfopen::{CircuitBreaker, State};

use crate::configs;
use crate::rng::Rng;
use crate::subject::Subject;

/// One action of an operator, a health check or a reload.
pub(crate) fn act(subject: &Subject, rng: &mut Rng) {
    let breaker = &subject.breaker;
    match rng.below(16) {
        0..4 => breaker.set_config(configs::any(rng)),
        // Most reloads change a number, not the shape of the window.
        4 => breaker.set_config(
            breaker.config().to_builder().hint_max(Duration::from_millis(1)).build().expect("valid"),
        ),
        5..8 => subject.sickness.store(rng.of(&[0, 0, 5, 40, 100]), Ordering::Relaxed),
        8 => breaker.trip(),
        9 => breaker.open_for(Duration::from_micros(rng.below(2_000))),
        10 => breaker.reset(),
        11 => breaker.force_closed(),
        _ => override_or_end_it(breaker, rng),
    }
}

/// Overrides are ended more often than they are set, so that the machine runs for most of the time.
fn override_or_end_it(breaker: &CircuitBreaker, rng: &mut Rng) {
    match breaker.state() {
        State::ForcedOpen | State::Disabled | State::MetricsOnly => breaker.force_closed(),
        _ => match rng.below(8) {
            0 => breaker.force_open(),
            1 => breaker.disable(),
            2 => breaker.metrics_only(),
            _ => {}
        },
    }
}

/// A short-lived breaker with a listener that is never unsubscribed.
pub(crate) fn live_and_die(rng: &mut Rng) {
    let breaker = CircuitBreaker::new("moment", configs::any(rng));
    breaker.on_event(|_, _| {}).forget();
    let subscription = breaker.on_event(|_, _| {});
    let permit = breaker.try_acquire_owned().ok();
    breaker.trip();
    drop(breaker);
    drop(permit);
    drop(subscription);
}
