//! MariaDB that is stopped, killed, frozen, full and read only.

use std::time::Duration;

use halfopen::Outcome;
use halfopen_sqlx::{SqlxClassify, outcome};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use sqlx::{AssertSqlSafe, Connection, Executor, MySql, MySqlConnection};
use test_support::breaker::SECOND;
use test_support::disk::SmallDisk;
use test_support::mariadb::MariaDbServer;
use tokio::task::JoinHandle;

use crate::world::{Guarded, SHORT, code_of, options, seen, until};

fn lazy(server: &MariaDbServer) -> MySqlPool {
    options().connect_lazy(&server.url()).unwrap()
}

fn user(server: &MariaDbServer, name: &str) -> MySqlConnectOptions {
    MySqlConnectOptions::new().host("127.0.0.1").port(server.address().port()).username(name).database("test")
}

async fn one(guarded: &Guarded<MySql>) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT 1").fetch_one(&guarded.pool).await
}

/// Statements that never end by themselves. An interrupted sleep is no error, an interrupted count is one.
const SLEEP: &str = "DO sleep(600)";
const COUNT: &str = "SELECT max(a.seq + b.seq) FROM seq_1_to_1000000 a, seq_1_to_1000000 b";

/// Makes a call, and returns once the server executes it.
async fn in_flight(guarded: &Guarded<MySql>, sql: &'static str) -> JoinHandle<sqlx::Result<()>> {
    let pool = guarded.pool.clone();
    let call = tokio::spawn(async move { pool.execute(sql).await.map(drop) });
    until(async || running(guarded, sql).await.is_some() || call.is_finished()).await;
    call
}

/// The connection that executes the call in flight.
async fn running(guarded: &Guarded<MySql>, sql: &str) -> Option<i64> {
    let find = "SELECT id FROM information_schema.processlist WHERE info = ?";
    sqlx::query_scalar(find).bind(sql).fetch_optional(guarded.pool.inner()).await.unwrap()
}

#[tokio::test]
async fn a_killed_server_opens_and_a_restarted_one_closes() {
    let Some(mut server) = MariaDbServer::start() else { return };
    let pool = options().acquire_timeout(Duration::from_secs(1)).connect_lazy(&server.url()).unwrap();
    let guarded = Guarded::new(pool);
    let call = in_flight(&guarded, SLEEP).await;
    server.kill();
    assert_eq!(code_of(&call.await.unwrap().unwrap_err()), "UnexpectedEof");
    for _ in 0..2 {
        assert_eq!(guarded.failed(one(&guarded)).await, seen("PoolTimedOut", "failure"));
    }
    assert!(guarded.breaker().is_open());
    let rejected = one(&guarded).await.unwrap_err();
    assert!(halfopen::rejection(&rejected).is_some(), "{rejected}");

    server.restart();
    guarded.hands.advance(SECOND);
    one(&guarded).await.unwrap();
    assert!(guarded.breaker().is_closed());

    let call = in_flight(&guarded, SLEEP).await;
    server.stop();
    assert_eq!(code_of(&call.await.unwrap().unwrap_err()), "UnexpectedEof", "a shutdown has no code here");
}

#[tokio::test]
async fn a_frozen_server_costs_the_query_timeout_and_opens() {
    let Some(server) = MariaDbServer::start() else { return };
    let guarded = Guarded::new(options::<MySql>().max_connections(1).connect(&server.url()).await.unwrap());
    guarded.pool.execute("CREATE TABLE kept (id int)").await.unwrap();
    let pool = guarded.pool.clone().query_timeout(SHORT);
    server.freeze();
    for _ in 0..3 {
        let call = pool.execute("INSERT INTO kept VALUES (1)");
        assert_eq!(guarded.failed(call).await, seen("TimedOut", "failure"));
    }
    assert!(guarded.breaker().is_open());

    server.thaw();
    guarded.hands.advance(SECOND);
    one(&guarded).await.unwrap();
    assert!(guarded.breaker().is_closed());
}

#[tokio::test]
async fn limits_of_connections_show_at_once() {
    let Some(server) = MariaDbServer::with(&["--max-connections=10", "--extra-max-connections=1"]) else {
        return;
    };
    server.sql("CREATE USER few WITH MAX_USER_CONNECTIONS 1; GRANT ALL ON test.* TO few; CREATE USER many; GRANT ALL ON test.* TO many");
    let few = Guarded::closed(options::<MySql>().connect_lazy_with(user(&server, "few")));
    let held = few.pool.acquire().await.unwrap();
    assert_eq!(few.failed(one(&few)).await, seen("1226", "failure"));
    assert_eq!(few.breaker().snapshot().totals.throttled, 1, "a limit of the user");
    drop(held);

    let mut connections = Vec::new();
    while let Ok(connection) = MySqlConnection::connect_with(&user(&server, "many")).await {
        connections.push(connection);
    }
    let guarded = Guarded::closed(options::<MySql>().connect_lazy_with(user(&server, "many")));
    assert_eq!(guarded.failed(one(&guarded)).await, seen("1040", "failure"), "the pool does not wait");
}

#[tokio::test]
async fn a_read_only_server_fails_writes() {
    let Some(server) = MariaDbServer::start() else { return };
    server.sql("CREATE TABLE test.orders (id int PRIMARY KEY); CREATE USER writer; GRANT ALL ON test.* TO writer; SET GLOBAL read_only = ON");
    let guarded = Guarded::closed(options::<MySql>().connect_lazy_with(user(&server, "writer")));
    let write = "INSERT INTO orders VALUES (1)";
    assert_eq!(guarded.failed(guarded.pool.execute(write)).await, seen("1290", "failure"));
    let reads = guarded.pool.clone().classify(SqlxClassify::new().mysql(1290, Outcome::Success));
    assert_eq!(guarded.failed(reads.execute(write)).await, seen("1290", "success"));
    guarded.pool.execute("SELECT * FROM orders").await.unwrap();

    server.sql("SET GLOBAL read_only = OFF");
    let mut transaction = guarded.pool.begin_with("START TRANSACTION READ ONLY").await.unwrap();
    let own = (&mut *transaction).execute(write).await.unwrap_err();
    assert_eq!((code_of(&own), outcome(&own)), ("1792".into(), Outcome::Success));
}

#[tokio::test]
async fn limits_of_statements_and_killed_ones() {
    let Some(server) = MariaDbServer::start() else { return };
    let guarded = Guarded::closed(lazy(&server));
    let timeout = format!("SET STATEMENT max_statement_time = 0.02 FOR {COUNT}");
    let timeout = || AssertSqlSafe(timeout.clone());
    assert_eq!(guarded.failed(guarded.pool.execute(timeout())).await, seen("1969", "failure"));
    let pool = guarded.pool.clone().classify(SqlxClassify::new().mysql(1969, Outcome::Success));
    assert_eq!(guarded.failed(pool.execute(timeout())).await, seen("1969", "success"));

    let call = in_flight(&guarded, COUNT).await;
    let id = running(&guarded, COUNT).await.unwrap();
    server.sql(&format!("KILL QUERY {id}"));
    let killed = call.await.unwrap().unwrap_err();
    assert_eq!((code_of(&killed), outcome(&killed)), ("1317".into(), Outcome::Failure));

    let call = in_flight(&guarded, SLEEP).await;
    let id = running(&guarded, SLEEP).await.unwrap();
    server.sql(&format!("KILL {id}"));
    assert_eq!(code_of(&call.await.unwrap().unwrap_err()), "UnexpectedEof", "a killed connection");
}

#[tokio::test]
async fn faults_of_statements_are_answers() {
    let Some(server) = MariaDbServer::start() else { return };
    server.sql(
        "CREATE TABLE test.orders (id int PRIMARY KEY); INSERT INTO test.orders VALUES (1); CREATE USER poor",
    );
    let guarded = Guarded::closed(lazy(&server));
    for (sql, code) in
        [("INSERT INTO orders VALUES (1)", "1062"), ("SELEC 1", "1064"), ("SELECT * FROM missing", "1146")]
    {
        assert_eq!(guarded.failed(guarded.pool.execute(sql)).await, seen(code, "success"), "{sql}");
    }
    let wrong = [
        (user(&server, "root").password("wrong"), "1045"),
        (user(&server, "poor").database("mysql"), "1044"),
        (user(&server, "root").database("missing"), "1049"),
    ];
    for (options_of_user, code) in wrong {
        let guarded = Guarded::closed(options::<MySql>().connect_lazy_with(options_of_user));
        assert_eq!(guarded.failed(one(&guarded)).await, seen(code, "success"));
    }
}

#[tokio::test]
async fn contention_is_an_answer() {
    let Some(server) = MariaDbServer::start() else { return };
    server.sql(
        "CREATE TABLE test.orders (id int PRIMARY KEY, n int); INSERT INTO test.orders VALUES (1, 0), (2, 0)",
    );
    let guarded = Guarded::closed(lazy(&server));
    let mut first = guarded.pool.begin().await.unwrap();
    (&mut *first).execute("UPDATE orders SET n = 1 WHERE id = 1").await.unwrap();
    let nowait = "SELECT * FROM orders WHERE id = 1 FOR UPDATE NOWAIT";
    assert_eq!(guarded.failed(guarded.pool.execute(nowait)).await, seen("1205", "success"));

    let mut second = guarded.pool.begin().await.unwrap();
    (&mut *second).execute("UPDATE orders SET n = 2 WHERE id = 2").await.unwrap();
    let (one, other) = tokio::join!(
        (&mut *first).execute("UPDATE orders SET n = 1 WHERE id = 2"),
        (&mut *second).execute("UPDATE orders SET n = 2 WHERE id = 1"),
    );
    let deadlock = one.err().or(other.err()).expect("one of them is the victim");
    assert_eq!((code_of(&deadlock), outcome(&deadlock)), ("1213".into(), Outcome::Success));
}

#[tokio::test]
async fn a_full_disk_fails_writes_and_serves_reads() {
    let (Some(disk), Some(server)) = (SmallDisk::mount(), MariaDbServer::start()) else { return };
    let folder = server.folder_on(disk.path());
    server.sql(&format!("CREATE TABLE test.orders (item text) DATA DIRECTORY = '{}'", folder.display()));
    let guarded = Guarded::closed(lazy(&server));
    // Row by row: this version aborts when a statement of many rows is rolled back on a full disk.
    let add = "INSERT INTO orders VALUES (repeat('x', 8000))";
    while guarded.pool.inner().execute(add).await.is_ok() {}
    assert_eq!(guarded.failed(guarded.pool.execute(add)).await, seen("1114", "failure"));
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&guarded.pool).await.unwrap();
    assert!(rows > 0);
}
