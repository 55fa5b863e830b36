//! A PostgreSQL database that several outboxes share, and its outages.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use halfopen_outbox::{
    Claim, Delivery, Item, Limits, PostgresStore, SendError, Store, StoreErrorKind, Timestamp,
};
use test_support::postgres::PostgresServer;

use crate::world::{Receiver, item, outbox, pool, postgres, runtime, until};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn several_workers_keep_the_order_of_a_lane() {
    let runtime = runtime();
    runtime.block_on(async {
        let Some(pool) = postgres("workers").await else { return };
        let receiver = Receiver::new();
        let mut outboxes = Vec::new();
        for _ in 0..3 {
            let store = PostgresStore::open(pool.clone()).await.unwrap();
            outboxes.push(outbox(store, &receiver).concurrent_lanes(2).build().await.unwrap());
        }
        for number in 0..120 {
            for lane in ["a", "b", "c", "d", "e"] {
                let buffered = outboxes[number % 3].buffer(item(lane, &number.to_string())).await;
                assert_eq!(buffered.unwrap(), Delivery::Buffered);
            }
        }
        let received = || ["a", "b", "c", "d", "e"].map(|lane| receiver.lane(lane).len());
        until("all are delivered", || received() == [120; 5]).await;
        let expected: Vec<String> = (0..120).map(|number| number.to_string()).collect();
        for lane in ["a", "b", "c", "d", "e"] {
            assert_eq!(receiver.lane(lane), expected, "lane {lane}");
        }
        let (mut workers, mut left) = (0, Vec::new());
        for outbox in &outboxes {
            left.push(outbox.close(SOON).await);
            workers += usize::from(outbox.snapshot().counters.replayed > 0);
        }
        // The first may end while another has yet to record its last delivery.
        assert_eq!(left.last(), Some(&0), "{left:?}");
        assert!(workers >= 2, "only {workers} of 3 delivered");
        pool.close().await;
    });
}

#[test]
fn lanes_of_a_dead_worker_are_taken_over() {
    let runtime = runtime();
    runtime.block_on(async {
        let Some(pool) = postgres("takeover").await else { return };
        let store = PostgresStore::open(pool.clone()).await.unwrap();
        let now = Timestamp::from_millis(1_000_000);
        let until_then = now.after(Duration::from_secs(25));
        store.append(vec![item("a", "1")], Limits::default(), now).await.unwrap();
        let worker: Arc<str> = "dead".into();
        let claim = Claim { worker, lanes: 1, items: 1, now, until: until_then };
        assert_eq!(store.claim(claim).await.unwrap().lanes.len(), 1);

        let receiver = Receiver::new();
        let at = |millis| move || SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        let early = outbox(store.clone(), &receiver).wall_clock(at(1_024_999)).build().await.unwrap();
        assert_eq!(early.close(Duration::from_millis(100)).await, 1, "the claim holds");
        let late = outbox(store, &receiver).wall_clock(at(1_025_000)).build().await.unwrap();
        until("it is taken over", || receiver.lane("a") == ["1"]).await;
        assert_eq!(late.close(SOON).await, 0);
        pool.close().await;
    });
}

#[test]
fn promises_survive_the_death_of_the_server() {
    let Some(mut server) = PostgresServer::start() else { return };
    let runtime = runtime();
    runtime.block_on(async {
        let pool = pool(&server, "outage").await;
        let receiver = Receiver::new();
        let store = PostgresStore::open(pool.clone()).await.unwrap();
        let outbox = outbox(store, &receiver).build().await.unwrap();
        outbox.breaker().force_open();
        let mut promised = Vec::new();
        for number in 0..20 {
            outbox.send(item("a", &number.to_string())).await.unwrap();
            promised.push(number.to_string());
        }
        server.kill();
        let error = outbox.send(item("a", "20")).await.unwrap_err();
        let kinds = [StoreErrorKind::Unavailable, StoreErrorKind::Uncertain];
        assert!(matches!(&error, SendError::Store(error) if kinds.contains(&error.kind())), "{error:?}");
        outbox.breaker().reset();
        server.restart();
        assert_eq!(outbox.close(SOON).await, 0);
        assert_eq!(receiver.lane("a"), promised);
        pool.close().await;
    });
}

#[test]
fn tables_of_another_version_are_left_as_they_are() {
    let runtime = runtime();
    runtime.block_on(async {
        let Some(pool) = postgres("version").await else { return };
        PostgresStore::open(pool.clone()).await.unwrap();
        sqlx::query("UPDATE halfopen_outbox_tally SET version = 2").execute(&pool).await.unwrap();
        let error = PostgresStore::open(pool.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Foreign);
        assert!(error.to_string().contains("version 2 of the schema"), "{error}");
        pool.close().await;
    });
}

#[test]
fn tables_that_are_not_an_outbox_are_left_as_they_are() {
    let runtime = runtime();
    runtime.block_on(async {
        use StoreErrorKind::{Corrupt, Foreign};
        for (number, (change, kind, message)) in [
            (
                "DROP TABLE halfopen_outbox_dead_letters",
                Foreign,
                "table halfopen_outbox_dead_letters is missing",
            ),
            (
                "ALTER TABLE halfopen_outbox_items DROP COLUMN size",
                Foreign,
                "table halfopen_outbox_items has the columns id",
            ),
            (
                "ALTER TABLE halfopen_outbox_lanes ALTER free_at TYPE text",
                Foreign,
                "free_at text, an outbox's has",
            ),
            (
                "ALTER TABLE halfopen_outbox_tally RENAME version TO edition",
                Foreign,
                "has the columns edition integer",
            ),
            (
                "ALTER TABLE halfopen_outbox_items DROP CONSTRAINT halfopen_outbox_items_key_key",
                Foreign,
                "has no unique key",
            ),
            ("DELETE FROM halfopen_outbox_tally", Corrupt, "halfopen_outbox_tally has 0 rows, must have one"),
        ]
        .into_iter()
        .enumerate()
        {
            let Some(pool) = postgres(&format!("changed_{number}")).await else { return };
            PostgresStore::open(pool.clone()).await.unwrap();
            sqlx::query(change).execute(&pool).await.unwrap();
            let error = PostgresStore::open(pool.clone()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{change}: {error:?}");
            assert!(error.to_string().contains(message), "{change}: {error}");
            pool.close().await;
        }
    });
}

#[test]
fn a_lost_tally_is_damage() {
    let runtime = runtime();
    runtime.block_on(async {
        let Some(pool) = postgres("lost").await else { return };
        let store = PostgresStore::open(pool.clone()).await.unwrap();
        let append =
            async || store.append(vec![Item::new("1")], Limits::default(), Timestamp::default()).await;
        for loss in ["DELETE FROM halfopen_outbox_tally", "DROP TABLE halfopen_outbox_tally"] {
            sqlx::query(loss).execute(&pool).await.unwrap();
            assert_eq!(append().await.unwrap_err().kind(), StoreErrorKind::Corrupt, "{loss}");
        }
        pool.close().await;
    });
}

#[test]
fn rows_of_a_server_changed_by_hand_are_counted() {
    let runtime = runtime();
    runtime.block_on(async {
        let Some(pool) = postgres("counted").await else { return };
        let store = PostgresStore::open(pool.clone()).await.unwrap();
        let items = ["1", "2"].map(Item::new).to_vec();
        let stored = store.append(items, Limits::default(), Timestamp::default()).await.unwrap().totals;
        sqlx::query("ALTER TABLE halfopen_outbox_items ADD note TEXT").execute(&pool).await.unwrap();
        let sql = "UPDATE halfopen_outbox_tally SET items = 7, bytes = 0, last_id = 0";
        sqlx::query(sql).execute(&pool).await.unwrap();
        let store = PostgresStore::open(pool.clone()).await.unwrap();
        assert_eq!(store.status(1).await.unwrap().totals, stored);
        store.append(vec![Item::new("3")], Limits::default(), Timestamp::default()).await.unwrap();
        pool.close().await;
    });
}

#[test]
fn stores_that_open_together_create_the_tables_once() {
    let runtime = runtime();
    runtime.block_on(async {
        let Some(pool) = postgres("together").await else { return };
        let opened = (0..6).map(|_| PostgresStore::open(pool.clone()));
        for store in futures_util::future::join_all(opened).await {
            let now = Timestamp::from_millis(1);
            store.unwrap().append(vec![Item::new("1")], Limits::default(), now).await.unwrap();
        }
        let status = PostgresStore::open(pool.clone()).await.unwrap().status(1).await.unwrap();
        assert_eq!(status.totals.items, 6);
        pool.close().await;
    });
}
