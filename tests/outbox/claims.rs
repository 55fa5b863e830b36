//! Claims of lanes that expire, and clocks that are set.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use halfopen_outbox::{Item, Limits, MemoryStore, Outbox, PostgresStore, SqliteStore, Store, Timestamp};
use tokio::sync::Semaphore;

use crate::world::{Controlled, Receiver, Trouble, WallClock, item, outbox, postgres, runtime, until};

const SOON: Duration = Duration::from_secs(30);

/// Longer than every claim of these tests.
const HOUR: u64 = 3_600;

#[tokio::test(start_paused = true)]
async fn a_lane_in_delivery_is_not_started_twice() {
    let ((store, control), clock) = (Controlled::new(), WallClock::new());
    let received = Arc::new(Mutex::new(Vec::new()));
    let sender = {
        let (control, clock, received) = (control.clone(), clock.clone(), Arc::clone(&received));
        move |item: Item| {
            let mut received = received.lock().unwrap();
            if received.is_empty() {
                // The result of the first item cannot be recorded for longer than the claim lasts.
                control.settles_nothing(true);
                clock.forward(HOUR);
            }
            received.push(item.payload().clone());
            async { Ok::<(), std::io::Error>(()) }
        }
    };
    let outbox = Outbox::builder(store, sender).wall_clock(clock.reading()).build().await.unwrap();
    for number in 0..3 {
        outbox.buffer(item("a", &number.to_string())).await.unwrap();
    }
    outbox.buffer(item("b", "3")).await.unwrap();
    until("the store has failed", || outbox.snapshot().counters.store_failures > 100).await;
    control.settles_nothing(false);
    assert_eq!(outbox.close(SOON).await, 0);
    let mut received = received.lock().unwrap().clone();
    received.sort_unstable();
    assert_eq!(received, ["0", "1", "2", "3"], "each is delivered once");
}

#[test]
fn a_worker_that_was_frozen_ends_its_turn() {
    let runtime = runtime();
    runtime.block_on(async {
        let Some(pool) = postgres("frozen").await else { return };
        let store = PostgresStore::open(pool.clone()).await.unwrap();
        let (clock, gate, frozen) = (WallClock::new(), Arc::new(Semaphore::new(0)), Receiver::new());
        let sender = {
            let (gate, frozen) = (Arc::clone(&gate), frozen.clone());
            move |item: Item| {
                let (gate, frozen) = (Arc::clone(&gate), frozen.clone());
                async move {
                    frozen.take(&item);
                    gate.acquire().await.unwrap().forget();
                    Ok::<(), std::io::Error>(())
                }
            }
        };
        let items = (0..5).map(|number| item("a", &number.to_string())).collect();
        store.append(items, Limits::default(), Timestamp::default()).await.unwrap();
        let first = Outbox::builder(store.clone(), sender).replay_interval(Duration::ZERO);
        let first = first.wall_clock(clock.reading()).build().await.unwrap();
        until("it delivers the first item", || frozen.lane("a").len() == 1).await;

        clock.forward(HOUR);
        let receiver = Receiver::new();
        let second = outbox(store, &receiver).wall_clock(clock.reading()).build().await.unwrap();
        until("all are taken over", || receiver.lane("a").len() == 5).await;
        gate.add_permits(100);
        until("it has delivered its item", || first.snapshot().counters.replayed >= 1).await;
        second.close(SOON).await;
        first.close(Duration::ZERO).await;
        assert_eq!(frozen.lane("a"), ["0"], "its claim has expired, and the rest is the other's");
        pool.close().await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_holds_up_no_lane() {
    held_up_by_a_clock(MemoryStore::new()).await;
}

#[tokio::test]
async fn a_clock_set_back_holds_up_no_lane_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    held_up_by_a_clock(SqliteStore::open(folder.path().join("outbox.db")).await.unwrap()).await;
}

#[test]
fn a_clock_set_back_holds_up_no_lane_of_a_server() {
    let runtime = runtime();
    runtime.block_on(async {
        let Some(pool) = postgres("clock").await else { return };
        held_up_by_a_clock(PostgresStore::open(pool.clone()).await.unwrap()).await;
        pool.close().await;
    });
}

async fn held_up_by_a_clock(store: impl Store) {
    let (receiver, clock) = (Receiver::new(), WallClock::new());
    receiver.fails("*", Trouble::Away);
    let outbox = outbox(store, &receiver).wall_clock(clock.reading()).build().await.unwrap();
    outbox.buffer(item("a", "1")).await.unwrap();
    until("it was tried", || receiver.attempts() > 0).await;
    clock.back(HOUR);
    receiver.works();
    assert_eq!(outbox.close(SOON).await, 0, "the wait for the next attempt is not an hour longer");
}
