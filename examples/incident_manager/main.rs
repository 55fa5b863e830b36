//! Run it: cargo run --example incident_manager --features incident_manager
//!
//! A small service that depends on five others: it asks `sentinel` for incidents (HTTP), `inventory` for the machines that they
//! concern (gRPC) and `updates` for what has changed (a stream), writes them to a database (SQLite), and has a `pager` called.
//! One document has the breakers of all. From the third round to the sixth the others are away: incidents come from the last
//! answer, machines are unknown, and pages wait in the outbox until the pager is back.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

mod others;

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use halfopen::{BoxError, CircuitBreaker, Event};
use halfopen_config::{Format, LiveRegistry, Loader};
use halfopen_outbox::{Delivery, Item, Outbox, Sender, SqliteStore};
use halfopen_reqwest::{Services, ServicesSection};
use halfopen_sqlx::ProtectedPool;
use halfopen_tonic::GrpcCircuitBreakerLayer;
use others::Others;
use others::proto::{Article, inventory_client::InventoryClient};
use sqlx::Sqlite;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tower::ServiceBuilder;

type Inventory = InventoryClient<halfopen_tonic::GrpcCircuitBreakerService<tonic::transport::Channel>>;

struct IncidentManager<S: Sender> {
    services: Services,
    inventory: Inventory,
    updates: CircuitBreaker,
    updates_from: SocketAddr,
    database: ProtectedPool<Sqlite>,
    pager: Outbox<S>,
    last_incidents: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let others = Others::start().await?;
    let document = include_str!("breakers.yaml").replace("SENTINEL", &others.sentinel.to_string());
    let loader = Loader::new().section::<ServicesSection>();
    let live = LiveRegistry::new(loader.text("breakers.yaml", Format::Yaml, document))?;
    let registry = live.registry().clone();
    let _subscription = registry.on_event(|breaker, event| {
        if let Event::StateChanged(change) = event {
            println!("          {}: {} -> {}", breaker.name(), change.from, change.to);
        }
    });

    let folder = tempfile::tempdir()?;
    let options =
        SqliteConnectOptions::new().filename(folder.path().join("incidents.db")).create_if_missing(true);
    let pool = SqlitePoolOptions::new().connect_lazy_with(options);
    let pager_at = others.pager;
    let outbox = Outbox::builder(SqliteStore::open(folder.path().join("pages.db")).await?, move |page| {
        send(pager_at, page)
    });
    let channel = ServiceBuilder::new()
        .layer(GrpcCircuitBreakerLayer::new(registry.get_or_create("inventory")))
        .service(others.channel()?);
    let mut manager = IncidentManager {
        services: Services::with_client(live, reqwest::Client::builder().no_proxy())?,
        inventory: InventoryClient::new(channel),
        updates: registry.get_or_create("updates"),
        updates_from: others.updates,
        database: ProtectedPool::new(pool, registry.get_or_create("database")),
        pager: outbox.breaker(registry.get_or_create("pager")).build().await?,
        last_incidents: Vec::new(),
    };
    sqlx::query("CREATE TABLE incidents (id INTEGER PRIMARY KEY, line TEXT)")
        .execute(&manager.database)
        .await?;

    for round in 1..=9 {
        others.set_away((3..=6).contains(&round));
        println!("round {round}:  {}", manager.round(round).await?);
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    let left = manager.pager.close(Duration::from_secs(10)).await;
    let (written,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM incidents").fetch_one(&manager.database).await?;
    println!("{written} incidents written, {} pages received, {left} left", others.pages());
    Ok(())
}

impl<S: Sender<Error = std::io::Error>> IncidentManager<S> {
    async fn round(&mut self, round: u32) -> Result<String, BoxError> {
        let (incidents, are_fresh) = self.incidents().await;
        for incident in &incidents {
            let line = format!("{round} {incident}");
            sqlx::query("INSERT INTO incidents (line) VALUES (?)").bind(line).execute(&self.database).await?;
        }
        let machines = match self.inventory.count(Article { name: "shop".into() }).await {
            Ok(stock) => format!("{} machines", stock.into_inner().pieces),
            Err(status) if halfopen::rejection(&status).is_some() => "inventory not asked".into(),
            Err(status) => format!("inventory: {:?}", status.code()),
        };
        let updates = self.updates().await;
        let page = Item::new(format!("round {round}")).key(format!("page-{round}"));
        let page = match self.pager.send(page).await? {
            Delivery::Sent => "sent",
            Delivery::Buffered => "waits",
        };
        let age = if are_fresh { "" } else { " of before" };
        Ok(format!("{} incidents{age}, {machines}, {updates}, page {page}", incidents.len()))
    }

    /// Returns the incidents, those of the last answer if there is none now, and whether they are new.
    async fn incidents(&mut self) -> (Vec<String>, bool) {
        let answer = self.services.call("sentinel", |client| async move {
            client.get("/incidents").send().await?.error_for_status()?.text().await
        });
        match answer.await {
            Ok(lines) => {
                self.last_incidents = lines.lines().map(str::to_owned).collect();
                (self.last_incidents.clone(), true)
            }
            Err(_) => (self.last_incidents.clone(), false),
        }
    }

    /// Reads what has changed: one call, from the connection to the end of the stream.
    async fn updates(&self) -> String {
        let lines = stream::once(TcpStream::connect(self.updates_from))
            .map_ok(|connection| {
                let lines = BufReader::new(connection).lines();
                stream::try_unfold(lines, |mut lines| async move {
                    Ok::<_, std::io::Error>(lines.next_line().await?.map(|line| (line, lines)))
                })
            })
            .try_flatten();
        let mut lines = pin!(self.updates.protect_stream(lines).until_end());
        let mut count = 0;
        while let Some(line) = lines.next().await {
            match line {
                Ok(_) => count += 1,
                Err(error) if halfopen::rejection(&error).is_some() => return "updates not asked".into(),
                Err(_) => return "no updates".into(),
            }
        }
        format!("{count} updates")
    }
}

/// Sends a page, and waits until the pager has confirmed it.
async fn send(pager: SocketAddr, page: Item) -> std::io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(pager).await?);
    stream.write_all(format!("{}\n", page.idempotency_key()).as_bytes()).await?;
    let mut confirmation = String::new();
    stream.read_line(&mut confirmation).await?;
    if confirmation == "ok\n" { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}
