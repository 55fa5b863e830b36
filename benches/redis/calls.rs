//! A command through a breaker, and a call of a shared limit, compared with the bare client.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use halfopen::CircuitBreaker;
use halfopen_limit::Quota;
use halfopen_redis::{ProtectedConnection, RATE_LIMIT_SCRIPT, SharedRateLimiter};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Script};
use test_support::redis::RedisServer;
use tokio::runtime::Runtime;

use crate::harness::{Case, Timing, measure_bounded};
use crate::table::{Group, Table};
use crate::verdict::verdict;

const BARE: &str = "bare connection";
const PROTECTED: &str = "ProtectedConnection";
const EVALSHA: &str = "EVALSHA of the same script";
const SHARED: &str = "SharedRateLimiter";

/// Far more calls than the benchmark makes, so that every call is permitted.
const BURST: u32 = 1_000_000_000;

pub(crate) fn get(runtime: &Rc<Runtime>, server: &RedisServer, table: &mut Table) -> String {
    let connection = runtime.block_on(connect(server));
    let guarded = ProtectedConnection::new(connection.clone(), CircuitBreaker::builder("cache").build());
    server.command(&["SET", "key", "value"]);
    let timings = measure_bounded(vec![
        case(BARE, runtime, move || {
            let mut connection = connection.clone();
            async move { connection.get::<_, Option<String>>("key").await.is_ok() }
        }),
        case(PROTECTED, runtime, move || {
            let mut guarded = guarded.clone();
            async move { guarded.get::<_, Option<String>>("key").await.is_ok() }
        }),
    ]);
    table.push(Group::of_timings("GET over loopback", &timings, BARE, ""));
    let ratio = timings[1].ratio(&timings[0]);
    verdict(ratio <= 1.03, &format!("a protected GET takes at most 1.03 times a bare one ({ratio:.3})"))
}

pub(crate) fn limit(runtime: &Rc<Runtime>, server: &RedisServer, table: &mut Table) -> [String; 2] {
    let connection = runtime.block_on(connect(server));
    let sequential = measure_bounded(vec![
        case(EVALSHA, runtime, evalsha(&connection)),
        case(SHARED, runtime, shared(&connection)),
    ]);
    let together = measure_bounded(vec![
        together(EVALSHA, runtime, evalsha(&connection)),
        together(SHARED, runtime, shared(&connection)),
    ]);
    let titles = ["shared limit, one call after the other", "shared limit, 40 calls at a time"];
    let mut claims = Vec::new();
    for (title, timings) in titles.into_iter().zip([&sequential, &together]) {
        table.push(Group::of_timings(title, timings, EVALSHA, ""));
        claims.push(rate_claim(title, timings));
    }
    claims.try_into().expect("two groups")
}

fn rate_claim(title: &str, timings: &[Timing]) -> String {
    let share = 1.0 / timings[1].ratio(&timings[0]);
    verdict(share >= 0.8, &format!("{title}: at least 0.8 of the rate of EVALSHA ({share:.3})"))
}

fn evalsha(connection: &MultiplexedConnection) -> impl Fn() -> CallFuture + use<> {
    let (connection, script) = (connection.clone(), Rc::new(Script::new(RATE_LIMIT_SCRIPT)));
    move || {
        let (mut connection, script) = (connection.clone(), Rc::clone(&script));
        Box::pin(async move {
            let mut invocation = script.key("bare");
            invocation.arg(&[1_000_u64, BURST.into(), 1, 0, 0]);
            invocation.invoke_async::<(bool, u64)>(&mut connection).await.is_ok()
        })
    }
}

fn shared(connection: &MultiplexedConnection) -> impl Fn() -> CallFuture + use<> {
    let quota = Quota::calls(1_000_000).per(Duration::from_secs(1)).burst(BURST).expect("in range");
    let limiter = SharedRateLimiter::new("tasks", quota, connection.clone());
    move || {
        let limiter = limiter.clone();
        Box::pin(async move { limiter.try_acquire().await.is_ok() })
    }
}

type CallFuture = std::pin::Pin<Box<dyn Future<Output = bool>>>;

async fn connect(server: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("the server is there")
}

/// Calls in sequence.
fn case<F: Future<Output = bool>>(name: &str, runtime: &Rc<Runtime>, call: impl Fn() -> F + 'static) -> Case {
    let runtime = Rc::clone(runtime);
    Case::new(name, move |calls| {
        runtime.block_on(async {
            for _ in 0..calls {
                assert!(black_box(call().await), "the server answers");
            }
        });
    })
}

/// All calls of a round concurrently.
fn together<F: Future<Output = bool>>(
    name: &str,
    runtime: &Rc<Runtime>,
    call: impl Fn() -> F + 'static,
) -> Case {
    let runtime = Rc::clone(runtime);
    Case::new(name, move |calls| {
        let answered = runtime.block_on(join_all((0..calls).map(|_| call())));
        assert!(answered.into_iter().all(|answered| answered), "the server answers");
    })
}
