//! Bounds, and settings.

use std::time::Duration;

use halfopen_outbox::{Delivery, MemoryStore, Overflow, SendError};

use crate::world::{Events, Receiver, item, outbox};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_full_outbox_rejects() {
    let (receiver, events) = (Receiver::new(), Events::default());
    let outbox =
        outbox(MemoryStore::new(), &receiver).max_items(2).on_event(events.listener()).build().await.unwrap();
    outbox.breaker().force_open();
    for payload in ["1", "2"] {
        assert_eq!(outbox.send(item("a", payload)).await.unwrap(), Delivery::Buffered);
    }
    assert!(matches!(outbox.send(item("a", "3")).await, Err(SendError::Full)));
    assert_eq!((outbox.snapshot().counters.full, outbox.snapshot().totals.items), (1, 2));
    assert_eq!(events.take(), ["Buffering", "Full 3"]);

    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1", "2"]);
}

#[tokio::test]
async fn a_full_outbox_drops_the_oldest_if_it_may() {
    let (receiver, events) = (Receiver::new(), Events::default());
    let size = item("a", "1").size();
    let outbox = outbox(MemoryStore::new(), &receiver)
        .max_bytes(2 * size)
        .overflow(Overflow::DropOldest)
        .on_event(events.listener())
        .build()
        .await
        .unwrap();
    outbox.breaker().force_open();
    for payload in ["1", "2", "3"] {
        assert_eq!(outbox.send(item("a", payload)).await.unwrap(), Delivery::Buffered);
    }
    assert_eq!(events.take(), ["Buffering", "Dropped 1 false"]);
    let error = outbox.send(item("a", &"x".repeat(2 * size as usize))).await.unwrap_err();
    assert!(matches!(error, SendError::Full), "nothing is dropped for what can never fit");
    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!((receiver.lane("a"), outbox.snapshot().counters.dropped), (vec!["2".into(), "3".into()], 1));
}

#[tokio::test]
async fn an_invalid_setting_is_named() {
    let builder = || outbox(MemoryStore::new(), &Receiver::new());
    for (builder, message) in [
        (builder().max_items(0), "`max_items` is 0, but must be 1 to 9223372036854775807"),
        (builder().max_attempts(0), "`max_attempts` is 0, but must be at least 1"),
        (builder().concurrent_lanes(0), "`concurrent_lanes` is 0, but must be 1 to 1024"),
        (builder().send_timeout(Duration::ZERO), "`send_timeout` is 0s, but must be 1ms to 24h"),
        (
            builder().max_items(0).max_attempts(0),
            "2 problems: `max_items` is 0, but must be 1 to 9223372036854775807; `max_attempts` is 0, but must be at least 1",
        ),
    ] {
        assert_eq!(builder.build().await.unwrap_err().to_string(), message);
    }
}
