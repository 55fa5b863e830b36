//! The cost of `halfopen-redis` compared with the bare client, and the load of a fleet on its server.
//!
//! `cargo bench -p benches --bench redis` starts a `redis-server`, measures in interleaved rounds, and prints a
//! table with the targets reached and missed; group names (`get`, `limit`, `bytes`, `fleet`) select some.
#![allow(dead_code, reason = "the harness is shared with the breaker's rows, which use more of it")]

mod alloc;
#[path = "redis/calls.rs"]
mod calls;
#[path = "redis/fleet.rs"]
mod fleet;
mod harness;
mod machine;
mod print;
mod table;
mod verdict;
mod wanted;

use table::Table;
use test_support::redis::RedisServer;
use wanted::Wanted;

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

#[allow(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runtime = std::rc::Rc::new(runtime);
    let Some(server) = RedisServer::start() else { return Ok(()) };
    let wanted = Wanted::of(std::env::args().skip(1));
    let mut table = Table { machine: machine::line(), ..Table::default() };
    let mut claims = Vec::new();
    if wanted.has("get") {
        claims.push(calls::get(&runtime, &server, &mut table));
    }
    if wanted.has("limit") {
        claims.extend(calls::limit(&runtime, &server, &mut table));
    }
    if wanted.has("bytes") {
        table.push(fleet::bytes(&runtime, &server));
    }
    if wanted.has("fleet") {
        claims.push(fleet::thousand_nodes(&runtime, &server, &mut table));
    }
    println!("{}", table.markdown());
    for claim in claims {
        println!("{claim}");
    }
    Ok(())
}
