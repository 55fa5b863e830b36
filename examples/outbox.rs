//! Run it: cargo run --example outbox --features outbox
//!
//! A service issues 40 receipts for two tenants and sends them to a ledger, which dies after the tenth and comes
//! back later. Those in between are stored in an SQLite file and delivered in order when the breaker permits calls
//! again. In the end the ledger has all 40.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use halfopen::{BoxError, CircuitBreaker, CircuitBreakerConfig, Event, Trip};
use halfopen_outbox::{Item, Outbox, OutboxEvent, SqliteStore};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(3))
        .open_duration(Duration::from_millis(100))
        .build()?;
    let breaker = CircuitBreaker::new("ledger", config);
    let _subscription = breaker.on_event(|_, event| {
        if let Event::StateChanged(change) = event {
            println!("            the breaker: {} -> {}", change.from, change.to);
        }
    });

    let book = Arc::new(Mutex::new(Book::default()));
    let (address, mut ledger) = open_ledger(None, &book).await?;

    let file = std::env::temp_dir().join(format!("halfopen-receipts-{}.db", std::process::id()));
    let outbox = Outbox::builder(SqliteStore::open(&file).await?, move |item| send(address, item))
        .breaker(breaker)
        .on_event(|event| match event {
            OutboxEvent::Buffering => println!("            the outbox stores receipts"),
            OutboxEvent::Drained => println!("            the outbox is empty"),
            other => println!("            {other:?}"),
        })
        .build()
        .await?;

    for number in 1..=40 {
        if number == 11 {
            println!("            the ledger dies");
            ledger.abort();
        } else if number == 22 {
            println!("            the ledger is back");
            (_, ledger) = open_ledger(Some(address), &book).await?;
        }
        let tenant = if number % 3 == 0 { "bakery" } else { "garage" };
        let receipt = Item::new(format!("{number}")).lane(tenant).key(format!("receipt-{number}"));
        println!("receipt {number:>2}  {tenant}: {:?}", outbox.send(receipt).await?);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }

    let left = outbox.close(Duration::from_secs(10)).await;
    let counters = outbox.snapshot().counters;
    println!("{} sent directly, {} stored, {left} left", counters.sent, counters.buffered);
    println!("{}", book.lock().unwrap_or_else(PoisonError::into_inner).summary());
    std::fs::remove_file(&file)?;
    std::fs::remove_file(file.with_extension("db-outbox-lock"))?;
    Ok(())
}

/// Sends a receipt, and waits until the ledger has confirmed it.
async fn send(ledger: SocketAddr, receipt: Item) -> std::io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(ledger).await?);
    let number = String::from_utf8_lossy(receipt.payload());
    let line = format!("{} {} {number}\n", receipt.idempotency_key(), receipt.lane_name());
    stream.write_all(line.as_bytes()).await?;
    let mut confirmation = String::new();
    stream.read_line(&mut confirmation).await?;
    if confirmation == "ok\n" { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// What the ledger has written down.
#[derive(Default)]
struct Book {
    keys: HashSet<String>,
    entries: Vec<(String, u32)>,
}

impl Book {
    /// Writes a receipt down, unless it is there already.
    fn write(&mut self, line: &str) -> Option<()> {
        let mut words = line.split_whitespace();
        let (key, tenant, number) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        if self.keys.insert(key.to_owned()) {
            self.entries.push((tenant.to_owned(), number));
        }
        Some(())
    }

    fn summary(&self) -> String {
        let in_order = ["bakery", "garage"].iter().all(|tenant| {
            let numbers = self.entries.iter().filter(|(of, _)| of == tenant).map(|(_, number)| number);
            numbers.is_sorted()
        });
        format!("the ledger has {} receipts, in order: {in_order}", self.entries.len())
    }
}

/// Starts the ledger, on a free port or on the one that it had before.
async fn open_ledger(
    address: Option<SocketAddr>,
    book: &Arc<Mutex<Book>>,
) -> Result<(SocketAddr, JoinHandle<()>), BoxError> {
    let listener = TcpListener::bind(address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))).await?;
    let (address, book) = (listener.local_addr()?, Arc::clone(book));
    let ledger = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            if stream.read_line(&mut line).await.is_ok() {
                let known = book.lock().unwrap_or_else(PoisonError::into_inner).write(&line);
                let answer: &[u8] = if known.is_some() { b"ok\n" } else { b"what?\n" };
                // The service sends the receipt again if it hears nothing.
                let _ = stream.write_all(answer).await;
            }
        }
    });
    Ok((address, ledger))
}
