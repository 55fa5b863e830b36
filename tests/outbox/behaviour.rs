//! What becomes of an item.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use halfopen_outbox::{Delivery, Item, MemoryStore, Outbox, OutboxEvent, SendError, StoreErrorKind};

use crate::world::{Controlled, Events, Failed, Receiver, Trouble, item, outbox, until};

const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_rejected_item_is_buffered_and_replayed() {
    let receiver = Receiver::new();
    let outbox = outbox(MemoryStore::new(), &receiver).build().await.unwrap();
    assert_eq!(outbox.send(item("a", "1")).await.unwrap(), Delivery::Sent);

    outbox.breaker().force_open();
    assert_eq!(outbox.send(item("a", "2")).await.unwrap(), Delivery::Buffered);
    assert_eq!(receiver.attempts(), 1, "the receiver is left alone");

    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1", "2"]);
    let counters = outbox.snapshot().counters;
    assert_eq!((counters.sent, counters.buffered, counters.replayed), (1, 1, 1));
}

#[tokio::test]
async fn the_order_of_a_lane_survives_outages() {
    let receiver = Receiver::new();
    let outbox = outbox(MemoryStore::new(), &receiver).build().await.unwrap();
    let mut deliveries = Vec::new();
    for number in 0..300 {
        // Away for 5 of 11 items, and the worker replays meanwhile.
        if number % 11 < 5 {
            receiver.fails("*", Trouble::Away);
        } else {
            receiver.works();
        }
        for lane in ["a", "b", "c"] {
            deliveries.push(outbox.send(item(lane, &number.to_string())).await.unwrap());
            tokio::task::yield_now().await;
        }
    }
    receiver.works();
    assert_eq!(outbox.close(SOON).await, 0);

    let expected: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    for lane in ["a", "b", "c"] {
        assert_eq!(receiver.lane(lane), expected, "lane {lane}");
    }
    assert!(deliveries.contains(&Delivery::Sent) && deliveries.contains(&Delivery::Buffered));
}

#[tokio::test]
async fn a_lane_does_not_wait_for_another() {
    let receiver = Receiver::new();
    receiver.fails("1", Trouble::Away);
    let outbox = outbox(MemoryStore::new(), &receiver).build().await.unwrap();
    assert_eq!(outbox.send(item("a", "1")).await.unwrap(), Delivery::Buffered);
    assert_eq!(outbox.send(item("a", "2")).await.unwrap(), Delivery::Buffered);
    assert_eq!(outbox.send(item("b", "3")).await.unwrap(), Delivery::Sent);
    assert!(receiver.lane("a").is_empty(), "the second waits for the first");

    receiver.works();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1", "2"]);
}

#[tokio::test]
async fn a_refused_item_is_returned_and_not_stored() {
    let receiver = Receiver::new();
    receiver.fails("bad", Trouble::Refused);
    let outbox = outbox(MemoryStore::new(), &receiver).build().await.unwrap();
    let error = outbox.send(item("a", "bad")).await.unwrap_err();
    assert_eq!(error.into_refused(), Some(Failed(Trouble::Refused)));
    assert_eq!(outbox.status().await.unwrap().snapshot.totals.items, 0);
}

#[tokio::test]
async fn poison_is_set_aside_and_its_lane_goes_on() {
    let (receiver, events) = (Receiver::new(), Events::default());
    receiver.fails("bad", Trouble::Refused);
    let outbox = outbox(MemoryStore::new(), &receiver)
        .max_attempts(3)
        .on_event(events.listener())
        .build()
        .await
        .unwrap();
    outbox.breaker().force_open();
    for payload in ["1", "bad", "2"] {
        outbox.send(item("a", payload)).await.unwrap();
    }
    outbox.breaker().reset();
    until("the lane is empty", || outbox.snapshot().totals.items == 0).await;
    assert_eq!(receiver.lane("a"), ["1", "2"]);
    assert_eq!(receiver.attempts(), 5, "three of them for the poison");
    assert_eq!(events.take(), ["Buffering", "DeadLetter bad: Refused", "Drained"]);

    let letters = outbox.dead_letters(None, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].attempts, &*letters[0].error), (1, 3, "Refused"));
    receiver.works();
    assert_eq!(outbox.snapshot().totals.dead_letters, 1);
    assert_eq!(outbox.requeue([letters[0].id]).await.unwrap(), 1);
    assert_eq!(outbox.snapshot().totals.dead_letters, 0);
    until("it is delivered", || receiver.lane("a").len() == 3).await;
    assert_eq!(outbox.remove([letters[0].id]).await.unwrap(), 0, "it is no dead letter any more");
}

#[tokio::test]
async fn an_outage_sets_nothing_aside() {
    let receiver = Receiver::new();
    receiver.fails("*", Trouble::Away);
    let outbox = outbox(MemoryStore::new(), &receiver)
        .max_attempts(1)
        .retry_delay(Duration::from_millis(1))
        .build()
        .await
        .unwrap();
    outbox.send(item("a", "1")).await.unwrap();
    until("it was tried often", || receiver.attempts() > 10).await;
    let lanes = outbox.status().await.unwrap().lanes;
    assert_eq!((lanes[0].attempts, lanes[0].last_error.as_deref()), (0, Some("Away")));

    receiver.works();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!((receiver.lane("a").len(), outbox.snapshot().counters.dead_letters), (1, 0));
}

#[tokio::test]
async fn what_fails_while_others_are_taken_is_poison() {
    let receiver = Receiver::new();
    receiver.fails("bad", Trouble::Away);
    let outbox = outbox(MemoryStore::new(), &receiver)
        .max_attempts(2)
        .retry_delay(Duration::from_millis(1))
        .build()
        .await
        .unwrap();
    assert_eq!(outbox.send(item("a", "bad")).await.unwrap(), Delivery::Buffered);
    for _ in 0..100_000 {
        outbox.send(item("b", "good")).await.unwrap();
        tokio::task::yield_now().await;
        if outbox.snapshot().counters.dead_letters == 1 {
            break;
        }
    }
    assert_eq!(outbox.snapshot().counters.dead_letters, 1);
}

#[tokio::test]
async fn a_panic_of_the_sender_ends_no_replay() {
    for (trouble, text) in
        [(Trouble::Panics, "the sender panicked"), (Trouble::Unprintable, "the text of the failure panicked")]
    {
        let receiver = Receiver::new();
        receiver.fails("bad", trouble);
        let outbox = outbox(MemoryStore::new(), &receiver).max_attempts(2).build().await.unwrap();
        outbox.breaker().force_open();
        outbox.send(item("a", "bad")).await.unwrap();
        outbox.send(item("a", "good")).await.unwrap();
        outbox.breaker().reset();
        until("the lane is empty", || outbox.snapshot().totals.items == 0).await;
        assert_eq!(receiver.lane("a"), ["good"], "{trouble:?}");
        assert_eq!(&*outbox.dead_letters(None, 10).await.unwrap()[0].error, text);
        assert_eq!(outbox.close(SOON).await, 0);
        assert_eq!(outbox.snapshot().counters.dead_letters, 1, "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_hangs_is_a_failure() {
    let receiver = Receiver::new();
    receiver.fails("*", Trouble::Hangs);
    let outbox =
        outbox(MemoryStore::new(), &receiver).send_timeout(Duration::from_secs(7)).build().await.unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(outbox.send(item("a", "1")).await.unwrap(), Delivery::Buffered);
    assert_eq!(before.elapsed(), Duration::from_secs(7));
    assert_eq!(outbox.breaker().snapshot().totals.failures, 1);
    receiver.works();
    assert_eq!(outbox.close(SOON).await, 0);
}

#[tokio::test]
async fn an_item_with_a_stored_key_is_stored_once() {
    let receiver = Receiver::new();
    let outbox = outbox(MemoryStore::new(), &receiver).build().await.unwrap();
    outbox.breaker().force_open();
    for _ in 0..3 {
        assert_eq!(outbox.send(item("a", "1").key("k")).await.unwrap(), Delivery::Buffered);
    }
    assert_eq!((outbox.snapshot().totals.items, outbox.snapshot().counters.duplicates), (1, 2));
    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1"]);
}

#[tokio::test]
async fn a_send_cancelled_before_its_commit_stores_nothing() {
    let (store, control) = Controlled::new();
    let receiver = Receiver::new();
    let outbox = outbox(store, &receiver).build().await.unwrap();
    outbox.breaker().force_open();
    control.hold();
    let first = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.send(item("a", "1")).await }
    });
    until("the first is being stored", || control.appending() == 1).await;

    // Queued behind the commit of the first, and given up.
    let mut second = Box::pin(outbox.send(item("a", "2")));
    assert!((&mut second).now_or_never().is_none());
    drop(second);
    control.release();
    assert_eq!(first.await.unwrap().unwrap(), Delivery::Buffered);
    outbox.send(item("a", "3")).await.unwrap();
    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1", "3"]);
}

#[tokio::test]
async fn a_send_cancelled_in_its_commit_is_stored_whole() {
    let (store, control) = Controlled::new();
    let receiver = Receiver::new();
    let outbox = outbox(store, &receiver).build().await.unwrap();
    outbox.breaker().force_open();
    control.hold();
    let sending = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.send(item("a", "1")).await }
    });
    until("it is being stored", || control.appending() == 1).await;
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    control.release();

    assert_eq!(outbox.send(item("a", "2")).await.unwrap(), Delivery::Buffered);
    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1", "2"]);
}

#[tokio::test]
async fn without_its_store_an_outbox_claims_nothing() {
    let (store, control) = Controlled::new();
    let (receiver, events) = (Receiver::new(), Events::default());
    let outbox = outbox(store, &receiver).on_event(events.listener()).build().await.unwrap();
    control.away(true);
    assert_eq!(outbox.send(item("a", "1")).await.unwrap(), Delivery::Sent, "the receiver works");

    outbox.breaker().force_open();
    for _ in 0..3 {
        let error = outbox.send(item("a", "2")).await.unwrap_err();
        assert!(
            matches!(&error, SendError::Store(error) if error.kind() == StoreErrorKind::Unavailable),
            "{error}"
        );
    }
    assert!(outbox.snapshot().store_error.is_some());
    assert_eq!(events.take(), ["StoreFailed Unavailable"], "once");
    outbox.breaker().reset();
    assert_eq!(outbox.send(item("a", "3")).await.unwrap(), Delivery::Sent, "the lane is not blocked");

    control.away(false);
    outbox.breaker().force_open();
    assert_eq!(outbox.send(item("a", "4")).await.unwrap(), Delivery::Buffered);
    assert_eq!(events.take(), ["StoreRecovered", "Buffering"]);
    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_ends_in_an_uncertain_error() {
    let (store, control) = Controlled::new();
    let receiver = Receiver::new();
    let outbox = outbox(store, &receiver).store_timeout(Duration::from_secs(3)).build().await.unwrap();
    outbox.breaker().force_open();
    control.hold();
    let before = tokio::time::Instant::now();
    let error = outbox.send(item("a", "1")).await.unwrap_err();
    assert!(
        matches!(&error, SendError::Store(error) if error.kind() == StoreErrorKind::Uncertain),
        "{error}"
    );
    assert_eq!(before.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn what_the_end_leaves_in_doubt_is_uncertain() {
    let (store, control) = Controlled::new();
    let receiver = Receiver::new();
    let outbox = outbox(store, &receiver).build().await.unwrap();
    control.hold();
    let storing = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.buffer(item("a", "1")).await }
    });
    until("it is in its commit", || control.appending() == 1).await;
    outbox.close(Duration::ZERO).await;
    let error = storing.await.unwrap().unwrap_err();
    assert!(
        matches!(&error, SendError::Store(error) if error.kind() == StoreErrorKind::Uncertain),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_the_store_missed_is_recorded_later() {
    let (store, control) = Controlled::new();
    let received = Arc::new(AtomicUsize::new(0));
    let sender = {
        let (control, received) = (control.clone(), Arc::clone(&received));
        move |_: Item| {
            // Away from the delivery on, so that it cannot be recorded.
            control.away(true);
            received.fetch_add(1, Ordering::SeqCst);
            async { Ok::<(), std::io::Error>(()) }
        }
    };
    let outbox = Outbox::builder(store, sender).build().await.unwrap();
    outbox.buffer(item("a", "1")).await.unwrap();
    until("the store has failed", || outbox.snapshot().counters.store_failures > 2).await;
    control.away(false);
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(received.load(Ordering::SeqCst), 1, "it is not delivered again");
}

#[tokio::test]
async fn a_closed_outbox_keeps_what_it_cannot_deliver() {
    let receiver = Receiver::new();
    let outbox = outbox(MemoryStore::new(), &receiver).build().await.unwrap();
    outbox.breaker().force_open();
    outbox.send(item("a", "1")).await.unwrap();
    assert_eq!(outbox.close(Duration::from_millis(20)).await, 1);
    assert!(matches!(outbox.send(item("a", "2")).await, Err(SendError::Closed)));
    assert!(matches!(outbox.buffer(item("a", "2")).await, Err(SendError::Closed)));
    assert_eq!(outbox.close(Duration::ZERO).await, 1, "a second time it has nothing to wait for");
}

#[tokio::test]
async fn a_close_that_was_dropped_can_be_called_again() {
    let (store, control) = Controlled::new();
    let receiver = Receiver::new();
    let outbox = outbox(store, &receiver).build().await.unwrap();
    outbox.breaker().force_open();
    outbox.send(item("a", "1")).await.unwrap();
    assert!(outbox.close(HOUR).now_or_never().is_none(), "it waits for the delivery");
    assert!(outbox.close(HOUR).now_or_never().is_none(), "so does the next one");

    // Of two at the same time, the shorter deadline ends both.
    let both = async { tokio::join!(outbox.close(HOUR), outbox.close(Duration::from_millis(20))) };
    assert_eq!(tokio::time::timeout(SOON, both).await.expect("both end"), (1, 1));
    assert!(control.is_closed(), "the store as well");
    assert_eq!(outbox.close(HOUR).await, 1);
}

#[tokio::test]
async fn an_empty_outbox_closes_while_its_breaker_is_open() {
    let receiver = Receiver::new();
    let outbox = outbox(MemoryStore::new(), &receiver).build().await.unwrap();
    outbox.breaker().force_open();
    let closing = tokio::time::timeout(SOON, outbox.close(Duration::from_secs(3_600)));
    assert_eq!(closing.await.expect("it has nothing to wait for"), 0);
}

#[tokio::test]
async fn a_panic_of_the_listener_loses_nothing() {
    let receiver = Receiver::new();
    let builder = outbox(MemoryStore::new(), &receiver).on_event(|_: &OutboxEvent| panic!("the listener"));
    let outbox = builder.build().await.unwrap();
    outbox.breaker().force_open();
    assert_eq!(outbox.send(item("a", "1")).await.unwrap(), Delivery::Buffered);
    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert_eq!(receiver.lane("a"), ["1"]);
}

#[tokio::test]
async fn an_item_that_no_store_can_hold_is_an_error() {
    let outbox = outbox(MemoryStore::new(), &Receiver::new()).build().await.unwrap();
    let error = outbox.send(item("", "1")).await.unwrap_err();
    assert_eq!(error.to_string(), "invalid item: `lane` is \"\", but must be 1 to 255 bytes without a NUL");
}

#[tokio::test]
async fn a_replay_keeps_its_pace() {
    let receiver = Receiver::new();
    let interval = Duration::from_millis(10);
    let outbox = outbox(MemoryStore::new(), &receiver).replay_interval(interval).build().await.unwrap();
    outbox.breaker().force_open();
    for lane in 0..20 {
        outbox.send(item(&lane.to_string(), "1")).await.unwrap();
    }
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    outbox.breaker().reset();
    assert_eq!(outbox.close(SOON).await, 0);
    assert!(before.elapsed() >= 19 * interval, "{:?} for 20 lanes", before.elapsed());
}
