//! The outbox and its stores.

use halfopen::{BoxError, CircuitBreaker, CircuitBreakerConfig};
use halfopen_outbox::{
    Delivery, Item, MemoryStore, Outbox, OutboxSnapshot, OutboxStatus, Overflow, PostgresStore, SendError,
    SqliteStore, Store,
};

fn is_a_store<T: Store>() {}

#[tokio::test]
async fn an_outbox() -> Result<(), BoxError> {
    let breaker = CircuitBreaker::new("ledger", CircuitBreakerConfig::default());
    let outbox = Outbox::builder(MemoryStore::new(), |_item: Item| async { Ok::<_, BoxError>(()) })
        .breaker(breaker.clone())
        .max_items(1_000)
        .max_bytes(1_000_000)
        .overflow(Overflow::DropOldest)
        .max_attempts(10)
        .build()
        .await?;
    let sent: Result<Delivery, SendError<BoxError>> =
        outbox.send(Item::new("receipt 1").lane("garage").key("1")).await;
    let delivery: Delivery = sent.map_err(SendError::into_boxed)?;
    assert_eq!(delivery, Delivery::Sent);
    breaker.force_open();
    assert_eq!(outbox.send(Item::new("receipt 2")).await.unwrap(), Delivery::Buffered);
    let _: OutboxSnapshot = outbox.snapshot();
    let _: OutboxStatus = outbox.status().await?;
    assert!(outbox.dead_letters(None, 10).await?.is_empty());
    assert_eq!(outbox.close(std::time::Duration::ZERO).await, 1);
    is_a_store::<MemoryStore>();
    is_a_store::<SqliteStore>();
    is_a_store::<PostgresStore>();
    Ok(())
}
