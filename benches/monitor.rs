//! The cost of an attached monitor: on a permitted call, at rest, and with viewers of the page.
//!
//! `cargo bench -p benches --bench monitor` prints nanoseconds per call with and without a monitor, the processor time
//! per second on tokio's paused clock, and the resident memory. Linux only: it reads `/proc`.

mod machine;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::pin::pin;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use halfopen::{CircuitBreaker, Registry};
use halfopen_monitor::{ClosureNotifier, Monitor};
use tokio::runtime::Builder;
use tokio::time::sleep;
use tower::ServiceExt;

const ROUNDS: usize = 61;
const CALLS: u64 = 20_000;

#[expect(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("{}\n", machine::line());
    // First: what was freed before would be used again.
    memory()?;
    let (without, with) = calls();
    println!(
        "A permitted call: {without:.2} ns without a monitor, {with:.2} ns with one ({:+.2} ns)\n",
        with - without
    );

    println!(
        "| breakers | viewers | changes a second | processor time a second | bytes of the stream a second |"
    );
    println!("|--:|--:|--:|--:|--:|");
    for (breakers, viewers, changes) in
        [(0, 0, 0), (1_000, 0, 0), (1_000, 0, 1_000), (1_000, 1, 0), (1_000, 1, 1_000), (1_000, 10, 1_000)]
    {
        let (busy, bytes) = load(breakers, viewers, changes)?;
        println!("| {breakers} | {viewers} | {changes} | {:.3} ms | {bytes} |", 1e3 * busy);
    }

    Ok(())
}

#[expect(clippy::print_stdout, reason = "a line for the person who asked for it")]
fn memory() -> Result<(), Box<dyn Error>> {
    let before = resident()?;
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let registry = filled(1_000);
    let bare = resident()?;
    let _monitor = runtime.block_on(async {
        let monitor = monitor(&registry);
        sleep(Duration::from_secs(60)).await;
        monitor
    });
    let watched = resident()?;
    println!(
        "Memory: {} KB for 1,000 breakers, {} KB more for their monitor\n",
        bare - before,
        watched - bare
    );
    Ok(())
}

fn filled(breakers: usize) -> Registry {
    let registry = Registry::new();
    for index in 0..breakers {
        registry.get_or_create(&format!("service-{index:04}"));
    }
    registry
}

fn monitor(registry: &Registry) -> Monitor {
    let builder = Monitor::builder(registry.clone()).shipped_rules();
    builder.notify(ClosureNotifier::new("none", |_| {})).start().expect("a valid monitor in a runtime")
}

/// Nanoseconds per call without and with a monitor, in interleaved rounds: the median of each.
fn calls() -> (f64, f64) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (bare, watched) = (filled(1), filled(1));
    let _monitor = runtime.block_on(async { monitor(&watched) });
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(timed(&bare.get_or_create("service-0000")));
        with.push(timed(&watched.get_or_create("service-0000")));
    }
    (median(without), median(with))
}

#[expect(clippy::disallowed_methods, reason = "the time of a call is what is measured")]
fn timed(breaker: &CircuitBreaker) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        if let Ok(permit) = black_box(breaker).try_acquire() {
            permit.success();
        }
    }
    start.elapsed().as_nanos() as f64 / CALLS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The seconds of processor time, and the bytes that one viewer receives, in a second.
fn load(breakers: usize, viewers: usize, changes: usize) -> Result<(f64, u64), Box<dyn Error>> {
    let seconds = if changes > 0 { 20 } else { 600 };
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let registry = filled(breakers);
    runtime.block_on(async {
        let monitor = monitor(&registry);
        let mut streams = Vec::new();
        for _ in 0..viewers {
            let request = Request::get("/events").body(Body::empty())?;
            let response = monitor.routes().into_router::<()>().oneshot(request).await?;
            streams.push(tokio::spawn(received(response.into_body(), seconds)));
        }
        let before = busy()?;
        let all = registry.breakers();
        for step in 0..seconds * 10 {
            for change in 0..changes / 10 {
                let breaker = &all[(step as usize * changes / 10 + change) % all.len()];
                if breaker.is_closed() { breaker.trip() } else { breaker.reset() }
            }
            sleep(Duration::from_millis(100)).await;
        }
        let busy = busy()? - before;
        let mut bytes = 0;
        for stream in streams {
            bytes = stream.await?;
        }
        Ok((busy / seconds as f64, bytes / seconds))
    })
}

async fn received(body: Body, seconds: u64) -> u64 {
    let mut chunks = body.into_data_stream();
    let mut end = pin!(sleep(Duration::from_secs(seconds)));
    let mut bytes = 0;
    loop {
        tokio::select! {
            () = &mut end => return bytes,
            chunk = chunks.next() => match chunk {
                Some(Ok(chunk)) => bytes += chunk.len() as u64,
                Some(Err(_)) | None => return bytes,
            },
        }
    }
}

/// The seconds that this thread, which runs everything, has been on a processor.
fn busy() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = text.split_whitespace().next().ok_or("the first number")?.parse()?;
    Ok(nanos / 1e9)
}

/// The kilobytes of resident memory.
fn resident() -> Result<i64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("its line")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
