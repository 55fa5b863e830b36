use std::hint::black_box;
use std::sync::Arc;

use halfopen_limit::{Bulkhead, BulkheadConfig};
use halfopen_tower::BulkheadLayer;
use tokio::sync::Semaphore;
use tower::limit::ConcurrencyLimitLayer;
use tower_layer::Layer;
use tower_service::Service;

use crate::harness::Case;
use crate::services::{Inner, drive};

pub(crate) const SEMAPHORE: &str = "tokio Semaphore, owned permit";
pub(crate) const RESILIENCE: &str = "tower-resilience 0.14 bulkhead";

const SLOTS: u32 = 20;

/// A slot that is acquired and released.
pub(crate) fn direct() -> Vec<Case> {
    let semaphore = Arc::new(Semaphore::new(SLOTS as usize));
    let bulkhead = bulkhead();
    let waiting = bulkhead.clone();
    vec![
        Case::new(SEMAPHORE, move |calls| {
            for _ in 0..calls {
                let permit = Arc::clone(black_box(&semaphore)).try_acquire_owned();
                drop(black_box(permit).expect("a slot is free"));
            }
        }),
        Case::new("halfopen, try_acquire", move |calls| {
            for _ in 0..calls {
                let permit = black_box(&bulkhead).try_acquire();
                drop(black_box(permit).expect("a slot is free"));
            }
        }),
        Case::new("halfopen, acquire_if_permitted", move |calls| {
            for _ in 0..calls {
                let permit = black_box(&waiting).acquire_if_permitted();
                drop(black_box(permit).expect("a slot is free"));
            }
        }),
    ]
}

/// A call through a layer.
pub(crate) fn layers() -> Vec<Case> {
    let theirs = tower_resilience_bulkhead::BulkheadLayer::builder().max_concurrent_calls(SLOTS as usize);
    vec![
        stack("bare", Inner),
        stack("tower ConcurrencyLimit", ConcurrencyLimitLayer::new(SLOTS as usize).layer(Inner)),
        stack("halfopen, typed errors", BulkheadLayer::new(bulkhead()).typed_errors().layer(Inner)),
        stack("halfopen, boxed errors", BulkheadLayer::new(bulkhead()).layer(Inner)),
        stack(RESILIENCE, theirs.build().expect("a limit").layer(Inner)),
    ]
}

fn bulkhead() -> Bulkhead {
    let config = BulkheadConfig::builder().max_concurrent_calls(SLOTS).build();
    Bulkhead::new("pool", config.expect("a limit"))
}

fn stack<S: Service<u64> + 'static>(name: &str, mut service: S) -> Case {
    Case::new(name, move |calls| drive(&mut service, calls))
}
