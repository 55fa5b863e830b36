//! Code of users that is generic over the client's traits compiles with a protected pool, and passes through its breaker.

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, TryStreamExt};
use halfopen_sqlx::{ProtectedPool, ProtectedTransaction};
use sqlx::sqlite::{SqlitePoolOptions, SqliteRow};
use sqlx::{
    Acquire, AnyPool, Connection, Database, Executor, FromRow, MySql, Postgres, Row, Sqlite, SqliteConnection,
};
use test_support::breaker::ended;

#[derive(Debug, FromRow, PartialEq)]
struct Order {
    id: i64,
    item: String,
}

async fn any_executor<'e, E: Executor<'e, Database = Sqlite>>(executor: E) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(executor).await
}

async fn any_acquire<'a, A: Acquire<'a, Database = Sqlite>>(source: A) -> sqlx::Result<i64> {
    let mut connection = source.acquire().await?;
    any_executor(&mut *connection).await
}

async fn transaction_of_any<'a, A: Acquire<'a, Database = Sqlite>>(source: A) -> sqlx::Result<()> {
    let mut transaction = source.begin().await?;
    add(&mut transaction, 9).await?;
    transaction.commit().await
}

async fn add(connection: &mut SqliteConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO orders VALUES (?, 'tea')").bind(id).execute(connection).await.map(drop)
}

/// A repository for every database whose connections are executors.
struct Repository<DB: Database>(ProtectedPool<DB>);

impl<DB: Database> Repository<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn number_of_rows(&self, sql: &'static str) -> sqlx::Result<usize> {
        Ok((&self.0).fetch_all(sql).await?.len())
    }
}

/// A stream that borrows nothing, as one of `&Pool` does.
fn ids(pool: &ProtectedPool<Sqlite>) -> BoxStream<'static, sqlx::Result<SqliteRow>> {
    pool.fetch("SELECT id FROM orders ORDER BY id")
}

fn is_send<T: Send>(value: T) -> T {
    value
}

async fn pool() -> ProtectedPool<Sqlite> {
    let options = SqlitePoolOptions::new().max_connections(1);
    let pool = ProtectedPool::named("orders", options.connect("sqlite::memory:").await.unwrap());
    let script =
        "CREATE TABLE orders (id INTEGER, item TEXT); INSERT INTO orders VALUES (1, 'tea'), (2, 'milk')";
    sqlx::raw_sql(script).execute(pool.inner()).await.unwrap();
    pool
}

#[tokio::test]
async fn every_kind_of_query_works_on_a_pool() {
    let pool = pool().await;
    let orders: Vec<Order> = sqlx::query_as("SELECT * FROM orders").fetch_all(&pool).await.unwrap();
    assert_eq!(orders[1], Order { id: 2, item: "milk".into() });
    let found =
        sqlx::query("SELECT id FROM orders WHERE id = ?").bind(3).fetch_optional(&pool).await.unwrap();
    assert!(found.is_none());
    let row = sqlx::query("SELECT id FROM orders WHERE id = 2").fetch_one(&pool).await.unwrap();
    assert_eq!(row.get::<i64, _>("id"), 2);
    let item: String = sqlx::query_scalar("SELECT item FROM orders").fetch_one(&pool).await.unwrap();
    assert_eq!(item, "tea");
    let missing = sqlx::query("SELECT id FROM orders WHERE id = 3").fetch_one(&pool).await.unwrap_err();
    assert!(matches!(missing, sqlx::Error::RowNotFound));
    let changed = sqlx::query("UPDATE orders SET item = 'oat'").execute(&pool).await.unwrap();
    assert_eq!(changed.rows_affected(), 2);
    let many: Vec<_> = sqlx::raw_sql("SELECT 1; SELECT 2").fetch_many(&pool).try_collect().await.unwrap();
    assert_eq!(many.iter().filter(|step| step.is_right()).count(), 2);
    let changed: Vec<_> =
        (&pool).execute_many("DELETE FROM orders WHERE id = 1").try_collect().await.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(ended(pool.breaker()), ["success"; 8].join(" "));
}

#[tokio::test]
async fn statements_are_prepared_and_described() {
    let pool = pool().await;
    let statement = (&pool).prepare(sqlx::SqlSafeStr::into_sql_str("SELECT item FROM orders")).await.unwrap();
    let described = (&pool).describe(sqlx::SqlSafeStr::into_sql_str("SELECT id FROM orders")).await.unwrap();
    assert_eq!(described.columns().len(), 1);
    let items = sqlx::Statement::query(&statement).fetch_all(&pool).await.unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(ended(pool.breaker()), "success success success");
}

#[tokio::test]
async fn functions_over_any_executor_take_a_pool() {
    let pool = pool().await;
    assert_eq!(any_executor(&pool).await.unwrap(), 2);
    assert_eq!(any_acquire(&pool).await.unwrap(), 2);
    transaction_of_any(&pool).await.unwrap();
    assert_eq!(Repository(pool.clone()).number_of_rows("SELECT * FROM orders").await.unwrap(), 3);
    let spawned = pool.clone();
    let counted = tokio::spawn(async move { is_send(any_executor(&spawned)).await }).await.unwrap();
    assert_eq!(counted.unwrap(), 3);
    assert_eq!(ended(pool.breaker()), ["success"; 5].join(" "));
}

#[tokio::test]
async fn a_transaction_derefs_to_the_connection() {
    let pool = pool().await;
    let mut transaction: ProtectedTransaction<Sqlite> = pool.begin().await.unwrap();
    add(&mut transaction, 3).await.unwrap();
    assert_eq!(any_executor(&mut *transaction).await.unwrap(), 3);
    let mut nested = Connection::begin(&mut *transaction).await.unwrap();
    add(&mut nested, 4).await.unwrap();
    nested.rollback().await.unwrap();
    transaction_of_any(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let immediate = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    immediate.rollback().await.unwrap();
    assert_eq!(any_executor(&pool).await.unwrap(), 4);
    assert_eq!(ended(pool.breaker()), "success success success", "both transactions, and the query");
}

#[tokio::test]
async fn a_stream_owns_its_pool_and_is_one_call() {
    let pool = pool().await;
    let mut ids = ids(&pool);
    assert!(ids.try_next().await.unwrap().is_some());
    assert_eq!(ended(pool.breaker()), "", "the call has not ended");
    assert!(ids.try_next().await.unwrap().is_some());
    assert!(ids.try_next().await.unwrap().is_none());
    drop(ids);
    assert_eq!(ended(pool.breaker()), "success");
    drop(sqlx::query("SELECT 1").fetch(&pool));
    assert_eq!(ended(pool.breaker()), "success", "a stream that is never polled makes no call");
}

#[tokio::test]
async fn a_dropped_stream_is_abandoned() {
    let pool = pool().await;
    let mut rows = sqlx::query("SELECT id FROM orders").fetch(&pool);
    rows.try_next().await.unwrap();
    drop(rows);
    assert_eq!(ended(pool.breaker()), "abandoned");
}

#[tokio::test]
async fn an_open_breaker_rejects_every_kind_of_call() {
    let pool = pool().await;
    pool.breaker().force_open();
    let errors = [
        sqlx::query("SELECT 1").execute(&pool).await.unwrap_err(),
        sqlx::query("SELECT 1").fetch_one(&pool).await.unwrap_err(),
        sqlx::query("SELECT 1").fetch(&pool).try_next().await.unwrap_err(),
        pool.begin().await.unwrap_err(),
        pool.acquire().await.unwrap_err(),
        any_acquire(&pool).await.unwrap_err(),
        pool.run(async |pool| any_executor(&pool).await).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(halfopen::rejection(&error).map(|rejected| rejected.name()), Some("orders"), "{error}");
        let boxed = anyhow::Error::from(error);
        assert!(
            boxed.chain().any(|cause| cause.is::<halfopen::Rejected>()),
            "without a search inside errors"
        );
    }
    assert_eq!(ended(pool.breaker()), "");
    pool.health_check().await.unwrap();
    pool.clone().health_check_query("SELECT id FROM orders").health_check().await.unwrap();
    pool.clone().health_check_query("SELECT id FROM missing").health_check().await.unwrap_err();
}

#[tokio::test]
async fn a_transaction_can_end_while_the_breaker_is_open() {
    let pool = pool().await;
    let mut transaction = pool.begin().await.unwrap();
    add(&mut transaction, 3).await.unwrap();
    pool.breaker().force_open();
    transaction.commit().await.unwrap();
    assert_eq!(any_executor(pool.inner()).await.unwrap(), 3);
    assert_eq!(pool.breaker().snapshot().totals.rejected, 0);
}

#[tokio::test]
async fn a_transaction_is_one_call_until_its_end() {
    let pool = pool().await;
    let mut transaction = pool.begin().await.unwrap();
    let written = add(&mut transaction, 3).await;
    transaction.record(&written);
    transaction.record::<()>(&Err(sqlx::Error::RowNotFound));
    assert_eq!(ended(pool.breaker()), "", "it goes on after an answer");
    transaction.record::<()>(&Err(sqlx::Error::WorkerCrashed));
    assert_eq!(ended(pool.breaker()), "failure");
    transaction.commit().await.unwrap();
    assert_eq!(ended(pool.breaker()), "failure", "the call has ended");
    drop(pool.begin().await.unwrap());
    assert_eq!(ended(pool.breaker()), "failure abandoned");
}

#[tokio::test]
async fn a_cancelled_begin_is_abandoned() {
    let pool = pool().await;
    let held = pool.begin().await.unwrap();
    assert!(pool.begin().now_or_never().is_none(), "it waits for the only connection");
    assert_eq!(ended(pool.breaker()), "abandoned");
    held.rollback().await.unwrap();
    assert_eq!(ended(pool.breaker()), "success abandoned");
}

#[tokio::test]
async fn a_panic_of_the_caller_abandons_its_transaction() {
    let pool = pool().await;
    let transaction = pool.begin().await.unwrap();
    let caller = tokio::spawn(async move {
        let _transaction = transaction;
        panic!("of the caller");
    });
    assert!(caller.await.unwrap_err().is_panic());
    assert_eq!(ended(pool.breaker()), "abandoned", "it is no failure of the database");
}

#[tokio::test]
async fn a_block_is_one_call_with_its_first_error() {
    let pool = pool().await;
    let block = async |pool: sqlx::SqlitePool| {
        let mut transaction = pool.begin().await?;
        add(&mut transaction, 3).await?;
        sqlx::query("INSERT INTO missing VALUES (1)").execute(&mut *transaction).await?;
        transaction.commit().await
    };
    pool.run(block).await.unwrap_err();
    assert_eq!(ended(pool.breaker()), "success", "a statement that is wrong is an answer");
    assert_eq!(any_executor(&pool).await.unwrap(), 2, "and the transaction is rolled back");
}

#[tokio::test]
async fn a_pool_of_any_database_is_an_executor() {
    sqlx::any::install_default_drivers();
    let options = sqlx::any::AnyPoolOptions::new().max_connections(1);
    let pool: AnyPool = options.connect("sqlite::memory:").await.unwrap();
    let pool = ProtectedPool::named("any", pool);
    assert_eq!(Repository(pool.clone()).number_of_rows("SELECT 1 UNION SELECT 2").await.unwrap(), 2);
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await.unwrap();
    assert_eq!(one, 1);
}

/// Compiled only: servers of these databases are in other tests.
#[allow(dead_code, reason = "that it compiles is the test")]
fn other_databases(postgres: &ProtectedPool<Postgres>, mysql: &ProtectedPool<MySql>) {
    drop(is_send(sqlx::query("SELECT $1").bind(1).execute(postgres)));
    drop(is_send(sqlx::query("SELECT ?").bind("a").fetch(mysql)));
    drop(is_send(postgres.begin()));
    let block = async |pool: sqlx::PgPool| sqlx::query("SELECT 1").execute(&pool).await.map(drop);
    drop(postgres.run(block));
}

#[tokio::test]
async fn a_held_connections_result_is_recorded_on_request() {
    let pool = pool().await;
    let mut connection = pool.acquire().await.unwrap();
    connection.ping().await.unwrap();
    pool.record::<()>(&Err(sqlx::Error::WorkerCrashed));
    pool.record(&Ok(7));
    assert_eq!(ended(pool.breaker()), "success success failure");
    pool.breaker().force_open();
    pool.record(&Ok(7));
    assert_eq!(ended(pool.breaker()), "success success failure", "not while it is open");
}
