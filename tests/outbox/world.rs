//! Fixtures of these tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use halfopen::CircuitBreaker;
use halfopen_outbox::{
    Appended, Claim, Claimed, DeadLetter, Item, Limits, MemoryStore, Outbox, OutboxBuilder, OutboxEvent,
    Requeued, Sender, Settled, Settlement, Store, StoreError, StoreErrorKind, StoreFuture, StoreStatus,
    Timestamp,
};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use test_support::postgres::PostgresServer;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A receiver that records what it gets, and fails as it is set to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Receiver(Arc<Mutex<Received>>);

#[derive(Debug, Default)]
struct Received {
    /// Lane and payload of each item, in the order of their arrival.
    items: Vec<(String, String)>,
    /// The error for each payload that fails.
    errors: HashMap<String, Trouble>,
    attempts: usize,
}

/// What goes wrong with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The receiver is away.
    Away,
    /// The receiver refuses the item.
    Refused,
    /// The receiver refuses the item, and the text of its error panics.
    Unprintable,
    Panics,
    Hangs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed(pub(crate) Trouble);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        assert!(self.0 != Trouble::Unprintable, "an error without a text");
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Failed {}

impl Receiver {
    pub(crate) fn new() -> Receiver {
        Receiver::default()
    }

    pub(crate) fn fails(&self, payload: &str, trouble: Trouble) {
        self.0.lock().unwrap().errors.insert(payload.to_owned(), trouble);
    }

    pub(crate) fn works(&self) {
        self.0.lock().unwrap().errors.clear();
    }

    pub(crate) fn attempts(&self) -> usize {
        self.0.lock().unwrap().attempts
    }

    /// Returns the payloads of a lane, in the order of their arrival.
    pub(crate) fn lane(&self, lane: &str) -> Vec<String> {
        let received = self.0.lock().unwrap();
        received.items.iter().filter(|(of, _)| of == lane).map(|(_, payload)| payload.clone()).collect()
    }

    /// Records an item.
    pub(crate) fn take(&self, item: &Item) {
        self.receive(item);
    }

    fn receive(&self, item: &Item) -> Option<Trouble> {
        let mut received = self.0.lock().unwrap();
        received.attempts += 1;
        let payload = String::from_utf8(item.payload().to_vec()).unwrap();
        let trouble = received.errors.get(&payload).or(received.errors.get("*")).copied();
        if trouble.is_none() {
            received.items.push((item.lane_name().to_owned(), payload));
        }
        trouble
    }
}

impl Sender for Receiver {
    type Error = Failed;

    async fn send(&self, item: Item) -> Result<(), Failed> {
        match self.receive(&item) {
            None => Ok(()),
            Some(Trouble::Panics) => panic!("the sender panics"),
            Some(Trouble::Hangs) => std::future::pending().await,
            Some(trouble) => Err(Failed(trouble)),
        }
    }
}

/// Classifies a refused item as an answer of a working receiver.
pub(crate) fn refused_is_an_answer(result: &Result<(), Failed>) -> halfopen::Outcome {
    match result {
        Ok(()) | Err(Failed(Trouble::Refused | Trouble::Unprintable)) => halfopen::Outcome::Success,
        Err(_) => halfopen::Outcome::Failure,
    }
}

/// The events of an outbox, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    pub(crate) fn listener(&self) -> impl Fn(&OutboxEvent) + Send + Sync + use<> {
        let events = self.clone();
        move |event| {
            let name = match event {
                OutboxEvent::Dropped { item, dead_letter } => {
                    format!("Dropped {} {dead_letter}", String::from_utf8_lossy(item.payload()))
                }
                OutboxEvent::Full { item } => format!("Full {}", String::from_utf8_lossy(item.payload())),
                OutboxEvent::DeadLetter { item, error } => {
                    format!("DeadLetter {}: {error}", String::from_utf8_lossy(item.payload()))
                }
                OutboxEvent::StoreFailed(error) => format!("StoreFailed {:?}", error.kind()),
                OutboxEvent::StoreRecovered { .. } => "StoreRecovered".to_owned(),
                other => format!("{other:?}"),
            };
            events.0.lock().unwrap().push(name);
        }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// An outbox without a pace, whose breaker is controlled by hand.
pub(crate) fn outbox(store: impl Store, receiver: &Receiver) -> OutboxBuilder<Receiver> {
    let config = halfopen::CircuitBreakerConfig::builder()
        .trip(halfopen::Trip::consecutive_failures(1_000))
        .build()
        .unwrap();
    Outbox::builder(store, receiver.clone())
        .breaker(CircuitBreaker::new("receiver", config))
        .classify(refused_is_an_answer)
        .replay_interval(Duration::ZERO)
        .retry_delay(Duration::from_millis(10))
}

/// A wall clock that is set by hand, and goes with the time of the runtime.
#[derive(Clone, Debug)]
pub(crate) struct WallClock(Arc<AtomicU64>);

impl WallClock {
    pub(crate) fn new() -> WallClock {
        WallClock(Arc::new(AtomicU64::new(1_000_000)))
    }

    pub(crate) fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn back(&self, seconds: u64) {
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }

    pub(crate) fn reading(&self) -> impl Fn() -> SystemTime + use<> {
        let (clock, start) = (self.clone(), Instant::now());
        move || {
            let set = Duration::from_secs(clock.0.load(Ordering::SeqCst));
            SystemTime::UNIX_EPOCH + set + start.elapsed()
        }
    }
}

pub(crate) fn item(lane: &str, payload: &str) -> Item {
    Item::new(payload.to_owned()).lane(lane)
}

/// Waits until a condition holds. Every wait here ends by an event of the outbox; the limit is for a fault.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..200_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("waited in vain until {what}");
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Returns a pool whose tables are in a schema of this name, or [`None`] if there is no server and that is permitted.
/// All tests share one server.
pub(crate) async fn postgres(schema: &str) -> Option<PgPool> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    let server = SERVER.get_or_init(PostgresServer::start).as_ref()?;
    Some(pool(server, schema).await)
}

pub(crate) async fn pool(server: &PostgresServer, schema: &str) -> PgPool {
    server.sql(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    let options: PgConnectOptions = server.url().parse().unwrap();
    let options = options.options([("search_path", schema)]);
    let timeout = Duration::from_secs(2);
    PgPoolOptions::new().acquire_timeout(timeout).max_connections(8).connect_with(options).await.unwrap()
}

/// A store that can be away, and that can be held before it appends.
#[derive(Debug)]
pub(crate) struct Controlled {
    store: MemoryStore,
    control: Control,
}

#[derive(Clone, Debug)]
pub(crate) struct Control {
    away: Arc<AtomicBool>,
    /// Whether results are refused.
    settles_no: Arc<AtomicBool>,
    /// The operations that may begin to append.
    gate: Arc<Semaphore>,
    appending: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
}

impl Controlled {
    pub(crate) fn new() -> (Controlled, Control) {
        let control = Control {
            away: Arc::default(),
            settles_no: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            appending: Arc::default(),
            closed: Arc::default(),
        };
        (Controlled { store: MemoryStore::new(), control: control.clone() }, control)
    }

    fn answer<'a, T: Send + 'a>(&'a self, operation: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        if self.control.away.load(Ordering::SeqCst) {
            let error = StoreError::new(StoreErrorKind::Unavailable, "the store is away");
            return Box::pin(async { Err(error) });
        }
        operation
    }
}

impl Control {
    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Whether results cannot be recorded, while all else works.
    pub(crate) fn settles_nothing(&self, nothing: bool) {
        self.settles_no.store(nothing, Ordering::SeqCst);
    }

    /// Holds every append from now on.
    pub(crate) fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self) {
        self.gate.add_permits(1_000);
    }

    /// The appends that have begun.
    pub(crate) fn appending(&self) -> usize {
        self.appending.load(Ordering::SeqCst)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

impl Store for Controlled {
    fn append(&self, items: Vec<Item>, limits: Limits, now: Timestamp) -> StoreFuture<'_, Appended> {
        let append = async move {
            self.control.appending.fetch_add(1, Ordering::SeqCst);
            self.control.gate.acquire().await.unwrap().forget();
            self.store.append(items, limits, now).await
        };
        self.answer(Box::pin(append))
    }

    fn claim(&self, claim: Claim) -> StoreFuture<'_, Claimed> {
        self.answer(self.store.claim(claim))
    }

    fn settle(&self, settlements: Vec<Settlement>, now: Timestamp) -> StoreFuture<'_, Settled> {
        if self.control.settles_no.load(Ordering::SeqCst) {
            let error = StoreError::new(StoreErrorKind::Unavailable, "the store is full");
            return Box::pin(async { Err(error) });
        }
        self.answer(self.store.settle(settlements, now))
    }

    fn lanes(&self) -> StoreFuture<'_, Vec<Arc<str>>> {
        self.answer(self.store.lanes())
    }

    fn status(&self, lanes: usize) -> StoreFuture<'_, StoreStatus> {
        self.answer(self.store.status(lanes))
    }

    fn dead_letters(&self, after: Option<u64>, limit: usize) -> StoreFuture<'_, Vec<DeadLetter>> {
        self.answer(self.store.dead_letters(after, limit))
    }

    fn requeue(&self, ids: Vec<u64>, now: Timestamp) -> StoreFuture<'_, Requeued> {
        self.answer(self.store.requeue(ids, now))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.control.closed.store(true, Ordering::SeqCst);
        self.store.close()
    }

    fn remove(&self, ids: Vec<u64>) -> StoreFuture<'_, u64> {
        self.answer(self.store.remove(ids))
    }
}
