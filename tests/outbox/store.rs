//! Random histories of each store, beside the model.

use std::sync::Arc;
use std::time::Duration;

use halfopen_outbox::{
    Claim, EntryResult, Item, Limits, MemoryStore, Overflow, PostgresStore, Settlement, SqliteStore, Store,
    Then, Timestamp,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::model::Model;
use crate::world::{postgres, runtime};

#[derive(Debug, Clone)]
enum Op {
    Append(Vec<(u8, u8, u8)>),
    Claim { worker: u8, lanes: usize, items: usize, lease: u64 },
    Settle(Vec<SettleOp>),
    Requeue(Vec<u8>),
    Remove(Vec<u8>),
    Pass(u64),
}

#[derive(Debug, Clone)]
struct SettleOp {
    worker: u8,
    lane: u8,
    results: Vec<ResultOp>,
    keep: bool,
    millis: u64,
}

#[derive(Debug, Clone, Copy)]
enum ResultOp {
    Delivered,
    Failed(bool),
    Dead,
    /// The result of an item that is not there.
    Unknown,
}

#[derive(Debug, Clone)]
struct History {
    limits: Limits,
    ops: Vec<Op>,
}

fn histories() -> impl Strategy<Value = History> {
    let overflow = prop_oneof![Just(Overflow::Reject), Just(Overflow::DropOldest)];
    let limits = (1..14_u64, 20..400_u64, overflow).prop_map(|(max_items, max_bytes, overflow)| Limits {
        max_items,
        max_bytes,
        overflow,
    });
    (limits, prop::collection::vec(ops(), 1..40)).prop_map(|(limits, ops)| History { limits, ops })
}

fn ops() -> impl Strategy<Value = Op> {
    let settlement = (0..2_u8, 0..3_u8, prop::collection::vec(results(), 0..4), any::<bool>(), 0..30_u64);
    let settlement = settlement.prop_map(|(worker, lane, results, keep, millis)| SettleOp {
        worker,
        lane,
        results,
        keep,
        millis,
    });
    prop_oneof![
        4 => prop::collection::vec((0..3_u8, 0..20_u8, 0..40_u8), 1..6).prop_map(Op::Append),
        3 => (0..2_u8, 1..4_usize, 1..4_usize, 1..30_u64)
            .prop_map(|(worker, lanes, items, lease)| Op::Claim { worker, lanes, items, lease }),
        4 => prop::collection::vec(settlement, 1..3).prop_map(Op::Settle),
        1 => prop::collection::vec(0..5_u8, 0..3).prop_map(Op::Requeue),
        1 => prop::collection::vec(0..5_u8, 0..3).prop_map(Op::Remove),
        2 => (0..20_u64).prop_map(Op::Pass),
    ]
}

fn results() -> impl Strategy<Value = ResultOp> {
    prop_oneof![
        4 => Just(ResultOp::Delivered),
        2 => any::<bool>().prop_map(ResultOp::Failed),
        2 => Just(ResultOp::Dead),
        1 => Just(ResultOp::Unknown),
    ]
}

/// Plays a history on a store and on the model, and compares every answer.
async fn play(store: &dyn Store, history: &History) {
    let mut model = Model::default();
    let mut now = Timestamp::from_millis(1_000);
    for op in &history.ops {
        match op {
            Op::Append(items) => {
                let items: Vec<Item> = items.iter().map(item).collect();
                let expected = model.append(items.clone(), history.limits, now);
                assert_eq!(store.append(items, history.limits, now).await.unwrap(), expected);
            }
            Op::Claim { worker, lanes, items, lease } => {
                let until = now.after(Duration::from_millis(*lease));
                let claim = Claim { worker: name(*worker), lanes: *lanes, items: *items, now, until };
                model.check_claim(&claim, &store.claim(claim.clone()).await.unwrap());
            }
            Op::Settle(settlements) => {
                let mut settlements: Vec<_> =
                    settlements.iter().map(|one| settlement(one, &model, now)).collect();
                // An entry has one result.
                settlements.dedup_by(|one, other| one.lane == other.lane);
                let expected = model.settle(&settlements, now);
                assert_eq!(store.settle(settlements, now).await.unwrap(), expected);
            }
            Op::Requeue(places) => {
                let ids = dead_ids(&model, places);
                assert_eq!(store.requeue(ids.clone(), now).await.unwrap(), model.requeue(&ids, now));
            }
            Op::Remove(places) => {
                let ids = dead_ids(&model, places);
                assert_eq!(store.remove(ids.clone()).await.unwrap(), model.remove(&ids));
            }
            Op::Pass(millis) => now = now.after(Duration::from_millis(*millis)),
        }
        assert_eq!(store.status(2).await.unwrap(), model.status(2), "after {op:?}");
    }
    let mut lanes = store.lanes().await.unwrap();
    lanes.sort();
    let mut expected: Vec<Arc<str>> = model.status(9).lanes.into_iter().map(|lane| lane.lane).collect();
    expected.sort();
    assert_eq!(lanes, expected);
    assert_eq!(store.dead_letters(None, 9).await.unwrap(), model.dead[..model.dead.len().min(9)]);
    if let Some(first) = model.dead.first() {
        let rest = &model.dead[1..];
        assert_eq!(store.dead_letters(Some(first.id), 2).await.unwrap(), rest[..rest.len().min(2)]);
    }
}

fn item((lane, key, size): &(u8, u8, u8)) -> Item {
    Item::new(vec![*key; usize::from(*size)]).lane(name(*lane)).key(format!("k{key}"))
}

fn name(number: u8) -> Arc<str> {
    format!("n{number}").into()
}

/// Results for the first items of a lane, as a worker would have them; the claim is another question.
fn settlement(op: &SettleOp, model: &Model, now: Timestamp) -> Settlement {
    let lane = name(op.lane);
    let first = model.items.iter().filter(|waiting| waiting.item.lane_name() == &*lane);
    let error: Arc<str> = format!("error of {}", op.millis).into();
    let results = first.zip(&op.results).map(|(waiting, result)| match result {
        ResultOp::Delivered => (waiting.id, EntryResult::Delivered),
        ResultOp::Failed(counted) => {
            (waiting.id, EntryResult::Failed { error: Arc::clone(&error), counted: *counted })
        }
        ResultOp::Dead => (waiting.id, EntryResult::Dead { error: Arc::clone(&error) }),
        ResultOp::Unknown => (waiting.id + 1_000, EntryResult::Delivered),
    });
    let at = now.after(Duration::from_millis(op.millis));
    let then = if op.keep { Then::Keep(at) } else { Then::Free(at) };
    Settlement { worker: name(op.worker), results: results.collect(), lane, then }
}

fn dead_ids(model: &Model, places: &[u8]) -> Vec<u64> {
    places.iter().map(|place| model.dead.get(usize::from(*place)).map_or(9_999, |letter| letter.id)).collect()
}

fn run(cases: u32, one: impl Fn(&History)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&histories(), |history| {
        one(&history);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_memory_store_follows_the_model() {
    run(1_000, |history| runtime().block_on(play(&MemoryStore::new(), history)));
}

#[test]
fn the_sqlite_store_follows_the_model() {
    let runtime = runtime();
    run(60, |history| {
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(folder.path().join("outbox.db")).await.unwrap();
            play(&store, history).await;
            store.close().await.unwrap();
        });
    });
}

#[test]
fn the_postgres_store_follows_the_model() {
    let runtime = runtime();
    let Some(pool) = runtime.block_on(postgres("model")) else { return };
    run(60, |history| {
        runtime.block_on(async {
            let store = PostgresStore::open(pool.clone()).await.unwrap();
            play(&store, history).await;
            let clear = "TRUNCATE halfopen_outbox_items, halfopen_outbox_lanes, halfopen_outbox_dead_letters;
                UPDATE halfopen_outbox_tally SET last_id = 0, items = 0, dead_letters = 0, bytes = 0";
            sqlx::raw_sql(clear).execute(&pool).await.unwrap();
        });
    });
    runtime.block_on(pool.close());
}
