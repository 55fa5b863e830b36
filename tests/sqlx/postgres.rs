//! PostgreSQL that is stopped, killed, frozen, full, demoted and replaced.

use std::error::Error as _;
use std::time::Duration;

use futures_util::TryStreamExt;
use halfopen::Outcome;
use halfopen::adapter::error_chain;
use halfopen_sqlx::{QueryTimedOut, SqlxClassify, outcome};
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Postgres};
use test_support::breaker::SECOND;
use test_support::disk::SmallDisk;
use test_support::postgres::PostgresServer;

use crate::world::{Guarded, LONG, SHORT, code_of, options, seen, until};

fn lazy(server: &PostgresServer) -> PgPool {
    options().connect_lazy(&server.url()).unwrap()
}

/// A pool that a server which is gone costs little time.
fn impatient(server: &PostgresServer) -> PgPool {
    options().acquire_timeout(Duration::from_secs(1)).connect_lazy(&server.url()).unwrap()
}

async fn one(guarded: &Guarded<Postgres>) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT 1").fetch_one(&guarded.pool).await
}

/// Makes a call that never ends by itself, and returns once the server executes it.
async fn in_flight(guarded: &Guarded<Postgres>) -> tokio::task::JoinHandle<sqlx::Error> {
    let pool = guarded.pool.clone();
    let call =
        tokio::spawn(async move { sqlx::query("SELECT pg_sleep(600)").execute(&pool).await.unwrap_err() });
    until(async || sleeping(guarded).await.is_some() || call.is_finished()).await;
    call
}

/// The process of the server that executes the call in flight.
async fn sleeping(guarded: &Guarded<Postgres>) -> Option<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    sqlx::query_scalar(sql).fetch_optional(guarded.pool.inner()).await.unwrap()
}

#[tokio::test]
async fn a_killed_server_opens_and_a_restarted_one_closes() {
    let Some(mut server) = PostgresServer::start() else { return };
    let guarded = Guarded::new(impatient(&server));
    let call = in_flight(&guarded).await;
    server.kill();
    assert_eq!(code_of(&call.await.unwrap()), "UnexpectedEof");
    for _ in 0..2 {
        assert_eq!(guarded.failed(one(&guarded)).await, seen("PoolTimedOut", "failure"));
    }
    assert!(guarded.breaker().is_open());
    let rejected = one(&guarded).await.unwrap_err();
    let rejected = halfopen::rejection(&rejected).unwrap();
    let last = "pool timed out while waiting for an open connection";
    assert_eq!(rejected.last_error(), Some(last));

    server.restart();
    guarded.hands.advance(SECOND);
    one(&guarded).await.unwrap();
    assert!(guarded.breaker().is_closed());
}

#[tokio::test]
async fn a_stopped_server_terminates_the_call_in_flight() {
    let Some(mut server) = PostgresServer::start() else { return };
    let guarded = Guarded::new(impatient(&server));
    let call = in_flight(&guarded).await;
    let mut transaction = guarded.pool.begin().await.unwrap();
    server.stop();
    assert_eq!(code_of(&call.await.unwrap()), "57P01");
    let first = sqlx::query("SELECT 1").execute(&mut *transaction).await.unwrap_err();
    assert_eq!(code_of(&first), "57P01");
    let (code, outcome) = guarded.failed(transaction.commit()).await;
    assert!(["UnexpectedEof", "BrokenPipe", "ConnectionReset"].contains(&code.as_str()), "{code}");
    assert_eq!(outcome, "failure", "an error of a commit is recorded");
}

#[tokio::test]
async fn a_frozen_server_costs_the_query_timeout_and_opens() {
    let Some(server) = PostgresServer::start() else { return };
    // Without the test of an idle connection, which is a query too.
    let pool = options::<Postgres>().test_before_acquire(false).max_connections(1);
    let guarded = Guarded::new(pool.connect(&server.url()).await.unwrap());
    sqlx::query("CREATE TABLE kept (id int)").execute(&guarded.pool).await.unwrap();
    // A connection is tested when it is returned.
    until(async || guarded.pool.inner().num_idle() == 1).await;
    let pool = guarded.pool.clone().query_timeout(SHORT);
    server.freeze();
    // Of a prepared statement the server would get the preparation only.
    let error = pool.execute("INSERT INTO kept VALUES (1)").await.unwrap_err();
    let cause = error_chain(&error).find_map(|cause| cause.downcast_ref::<QueryTimedOut>());
    assert_eq!(cause.map(QueryTimedOut::limit), Some(SHORT), "{error}");
    let error = sqlx::query("SELECT 1").fetch(&pool).try_next().await.unwrap_err();
    assert!(error.source().is_some(), "a stream has the limit too");
    pool.begin().await.unwrap_err();
    assert!(guarded.breaker().is_open());
    assert_eq!(guarded.ended(), "success failure failure failure");

    server.thaw();
    guarded.hands.advance(SECOND);
    let written: i64 =
        sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&guarded.pool).await.unwrap();
    assert_eq!(written, 1, "a write that timed out was made");
    assert!(guarded.breaker().is_closed());
}

#[tokio::test]
async fn a_stale_connection_costs_one_probe_of_two() {
    let Some(server) = PostgresServer::start() else { return };
    let pool = options::<Postgres>().test_before_acquire(false).max_connections(1);
    let guarded = Guarded::new(pool.connect(&server.url()).await.unwrap());
    guarded.breaker().open_for(SECOND);
    guarded.hands.advance(SECOND);
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
    assert_eq!(guarded.failed(one(&guarded)).await, seen("57P01", "failure"));
    assert!(guarded.breaker().is_half_open(), "the second probe decides");
    one(&guarded).await.unwrap();
    assert!(guarded.breaker().is_closed());
}

#[tokio::test]
async fn a_server_out_of_connections_shows_as_a_timeout() {
    let Some(server) = PostgresServer::start() else { return };
    server.sql("CREATE ROLE few LOGIN CONNECTION LIMIT 0");
    let few = PgConnectOptions::new().host("127.0.0.1").port(server.address().port()).username("few");
    let few = few.database("postgres");
    let direct = PgConnection::connect_with(&few).await.unwrap_err();
    assert_eq!((code_of(&direct), outcome(&direct)), ("53300".into(), Outcome::Failure));
    let pool = options::<Postgres>().acquire_timeout(SHORT).connect_lazy_with(few);
    let guarded = Guarded::new(pool);
    assert_eq!(guarded.failed(one(&guarded)).await, seen("PoolTimedOut", "failure"));

    let alone = options::<Postgres>().max_connections(1).acquire_timeout(SHORT);
    let guarded = Guarded::new(alone.connect(&server.url()).await.unwrap());
    let held = guarded.pool.acquire().await.unwrap();
    assert_eq!(guarded.failed(one(&guarded)).await, seen("PoolTimedOut", "failure"), "a pool that is in use");
    drop(held);
}

#[tokio::test]
async fn a_server_that_does_not_start_is_a_failure() {
    let address = test_support::server::free_address();
    let url = format!("postgres://postgres@{address}/postgres");
    let guarded = Guarded::new(options::<Postgres>().acquire_timeout(SHORT).connect_lazy(&url).unwrap());
    assert_eq!(guarded.failed(one(&guarded)).await, seen("PoolTimedOut", "failure"));
    let pool =
        options::<Postgres>().connect_lazy("postgres://postgres@no-such-host.invalid/postgres").unwrap();
    let guarded = Guarded::new(pool);
    let (_, outcome) = guarded.failed(one(&guarded)).await;
    assert_eq!(outcome, "failure", "a name that is not found");
    guarded.pool.inner().close().await;
    assert_eq!(guarded.failed(one(&guarded)).await, seen("PoolClosed", "ignored"));
}

#[tokio::test]
async fn limits_of_statements_and_cancellations() {
    let Some(server) = PostgresServer::start() else { return };
    let guarded = Guarded::closed(lazy(&server));
    let timeout = "SET statement_timeout = '20ms'; SELECT pg_sleep(600)";
    assert_eq!(guarded.failed(guarded.pool.execute(timeout)).await, seen("57014", "failure"));
    let call = in_flight(&guarded).await;
    let process = sleeping(&guarded).await.unwrap();
    server.sql(&format!("SELECT pg_cancel_backend({process})"));
    assert_eq!(code_of(&call.await.unwrap()), "57014", "a cancellation has the same code");
    let cancelled_by_us = SqlxClassify::new().postgres("57014", Outcome::Ignored);
    let pool = guarded.pool.clone().classify(cancelled_by_us);
    assert_eq!(guarded.failed(pool.execute(timeout)).await, seen("57014", "ignored"));

    let spills = "SET work_mem = '64kB'; SET temp_file_limit = '100kB'; \
                  SELECT count(*) FROM (SELECT * FROM generate_series(1, 100000) n ORDER BY n::text) sorted";
    assert_eq!(guarded.failed(guarded.pool.execute(spills)).await, seen("53400", "success"));
    let mut held = guarded.pool.acquire().await.unwrap();
    held.execute("SET idle_in_transaction_session_timeout = '20ms'; BEGIN").await.unwrap();
    until(async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(guarded.pool.inner()).await.unwrap() == 0
    })
    .await;
    let dawdled = held.execute("SELECT 1").await.unwrap_err();
    assert_eq!((code_of(&dawdled), outcome(&dawdled)), ("25P03".into(), Outcome::Success));
}

#[tokio::test]
async fn faults_of_statements_are_answers() {
    let Some(server) = PostgresServer::start() else { return };
    server.sql("CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1)");
    let guarded = Guarded::closed(lazy(&server));
    let pool = &guarded.pool;
    for (sql, code) in [
        ("INSERT INTO orders VALUES (1)", "23505"),
        ("SELEC 1", "42601"),
        ("SELECT * FROM missing", "42P01"),
        ("SELECT 1 / 0", "22012"),
    ] {
        assert_eq!(guarded.failed(pool.execute(sql)).await, seen(code, "success"), "{sql}");
    }
    let unknown_column = sqlx::query_scalar::<_, i64>("SELECT 'text'").fetch_one(pool);
    assert_eq!(guarded.failed(unknown_column).await, seen("ColumnDecode", "success"));
    let mut aborted = pool.begin().await.unwrap();
    (&mut *aborted).execute("SELECT 1 / 0").await.unwrap_err();
    let next = (&mut *aborted).execute("SELECT 1").await.unwrap_err();
    assert_eq!((code_of(&next), outcome(&next)), ("25P02".into(), Outcome::Success));
    aborted.commit().await.expect("PostgreSQL answers the commit of an aborted transaction with success");
    let url = server.url().replace("/postgres", "/missing").replace("//missing", "//postgres");
    let database = Guarded::closed(options::<Postgres>().connect_lazy(&url).unwrap());
    assert_eq!(database.failed(one(&database)).await, seen("3D000", "success"));
    let user = PgConnectOptions::new().host("127.0.0.1").port(server.address().port()).username("missing");
    let user = Guarded::closed(options::<Postgres>().connect_lazy_with(user.database("postgres")));
    assert_eq!(user.failed(one(&user)).await, seen("28000", "success"));
}

#[tokio::test]
async fn contention_is_an_answer() {
    let Some(server) = PostgresServer::start() else { return };
    server.sql("CREATE TABLE orders (id int PRIMARY KEY, n int); INSERT INTO orders VALUES (1, 0), (2, 0)");
    let guarded = Guarded::closed(lazy(&server));
    let pool = &guarded.pool;
    let mut first = pool.begin().await.unwrap();
    (&mut *first).execute("UPDATE orders SET n = 1 WHERE id = 1").await.unwrap();
    let nowait = "SELECT * FROM orders WHERE id = 1 FOR UPDATE NOWAIT";
    assert_eq!(guarded.failed(pool.execute(nowait)).await, seen("55P03", "success"));

    let mut second = pool.begin().await.unwrap();
    (&mut *second).execute("UPDATE orders SET n = 2 WHERE id = 2").await.unwrap();
    let (one, other) = tokio::join!(
        (&mut *first).execute("UPDATE orders SET n = 1 WHERE id = 2"),
        (&mut *second).execute("UPDATE orders SET n = 2 WHERE id = 1"),
    );
    let deadlock = one.err().or(other.err()).expect("one of them is the victim");
    assert_eq!((code_of(&deadlock), outcome(&deadlock)), ("40P01".into(), Outcome::Success));
    drop((first, second));

    let serializable = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    let mut first = pool.begin_with(serializable).await.unwrap();
    let mut second = pool.begin_with(serializable).await.unwrap();
    for transaction in [&mut first, &mut second] {
        (&mut **transaction).execute("SELECT sum(n) FROM orders").await.unwrap();
    }
    for (transaction, id) in [(&mut first, 1), (&mut second, 2)] {
        let sql = AssertSqlSafe(format!("UPDATE orders SET n = n + 1 WHERE id = {id}"));
        (&mut **transaction).execute(sql).await.unwrap();
    }
    first.commit().await.unwrap();
    assert_eq!(guarded.failed(second.commit()).await, seen("40001", "success"));
}

#[tokio::test]
async fn a_standby_fails_writes_until_it_is_promoted() {
    let Some(mut primary) = PostgresServer::start() else { return };
    primary.sql("CREATE TABLE orders (id int)");
    let standby = primary.standby();
    let guarded = Guarded::new(lazy(&standby));
    let write = "INSERT INTO orders VALUES (1)";
    primary.kill();
    for _ in 0..3 {
        assert_eq!(guarded.failed(guarded.pool.execute(write)).await, seen("25006", "failure"));
    }
    assert!(guarded.breaker().is_open());
    let reads = guarded.pool.clone().classify(SqlxClassify::new().postgres("25006", Outcome::Success));
    guarded.breaker().reset();
    assert_eq!(guarded.failed(reads.execute(write)).await, seen("25006", "success"));

    guarded.breaker().open_for(SECOND);
    standby.promote();
    guarded.hands.advance(SECOND);
    guarded.pool.execute(write).await.unwrap();
    assert!(guarded.breaker().is_closed());
}

#[tokio::test]
async fn a_full_disk_is_a_failure() {
    let Some(server) = PostgresServer::start() else { return };
    let guarded = Guarded::closed(lazy(&server));
    let full = "COPY (SELECT repeat('x', 100000)) TO '/dev/full'";
    assert_eq!(guarded.failed(guarded.pool.execute(full)).await, seen("53100", "failure"));

    // A table space of two megabytes, where it can be made.
    let Some(disk) = SmallDisk::mount() else { return };
    server.sql(&format!("CREATE TABLESPACE small LOCATION '{}'", server.folder_on(disk.path()).display()));
    server.sql("CREATE TABLE orders (item text) TABLESPACE small");
    let fill = "INSERT INTO orders SELECT repeat('x', 1000) FROM generate_series(1, 10000)";
    assert_eq!(guarded.failed(guarded.pool.execute(fill)).await, seen("53100", "failure"));
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&guarded.pool).await.unwrap();
    assert_eq!(count, 0, "reads are served");
}

#[tokio::test]
async fn errors_of_any_pools_are_those_of_their_database() {
    let Some(server) = PostgresServer::start() else { return };
    sqlx::any::install_default_drivers();
    let pool = sqlx::any::AnyPoolOptions::new().acquire_timeout(LONG).connect(&server.url()).await.unwrap();
    let guarded = Guarded::closed(pool);
    let timeout = "SET statement_timeout = '20ms'; SELECT pg_sleep(600)";
    assert_eq!(guarded.failed(guarded.pool.execute(timeout)).await, seen("57014", "failure"));
    assert_eq!(guarded.failed(guarded.pool.execute("SELEC 1")).await, seen("42601", "success"));
}
