//! A weak handle keeps nothing.
#![cfg(feature = "test-util")]

use std::time::Duration;

use fusebox::{Clock, Registry};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_breaker_that_is_held_weakly_is_evicted_and_its_successor_is_another() {
    let (clock, hands) = Clock::manual();
    let registry = Registry::builder().idle_after(MINUTE).clock(clock).build();
    let weak = registry.get_or_create("api").downgrade();
    hands.advance(2 * MINUTE);

    assert_eq!(registry.evict_idle(), 1);
    assert_eq!(registry.evicted(), 1);
    assert_eq!(registry.len(), 0);
    assert!(!weak.is(&registry.get_or_create("api")));
}

#[test]
fn a_name_that_finds_no_room_is_counted() {
    let registry = Registry::builder().capacity(1).build();
    registry.get_or_create("a");
    registry.get_or_create("b");
    assert_eq!((registry.overflowed(), registry.status().overflowed), (1, 1));
}
