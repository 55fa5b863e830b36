//! The speed of a replay, and its memory at several lengths of a log.
//!
//! `cargo bench -p halfopen-lab --bench replay` prints calls a second on one core for each setting, once for calls in memory and
//! once from the lines of a file, and the peak of the resident memory after a million and after ten million calls. The file of
//! ten million lines has 1.4 GB in the temporary folder; `-- reading` and `-- replay` measure one of the two.

use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use halfopen::Outcome;
use halfopen_lab::{By, Call, Keys, LoggedCall, LoggedEnd, Replay, Setting, Source, SourceOptions};

const SERVICES: u32 = 4;
const MILLION: u64 = 1_000_000;
const TARGET: f64 = 5e6;
/// Ten million lines in eight seconds.
const TARGET_OF_LINES: f64 = 1.25e6;

#[expect(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("| | calls | M calls/s | ns a call | peak MB | target |\n|---|--:|--:|--:|--:|---|");
    let asked = |part: &str| {
        let parts = || std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
        parts().next().is_none() || parts().any(|it| it == part)
    };
    // First: a peak of memory does not go down.
    if asked("replay") {
        replays()?;
    }
    if asked("reading") {
        readings()?;
    }
    Ok(())
}

fn replays() -> Result<(), Box<dyn Error>> {
    let keys = keys();
    for name in Setting::PRESETS {
        for calls in [MILLION, 10 * MILLION] {
            let setting = Setting::preset(name).ok_or("a preset")?;
            let (rejected, seconds) = replay(&keys, vec![setting], calls);
            assert!(rejected > 0, "the incidents are noticed");
            row(name, calls, seconds, TARGET);
        }
    }
    let all: Vec<_> = Setting::PRESETS.into_iter().filter_map(Setting::preset).collect();
    let (_, seconds) = replay(&keys, all, MILLION);
    row("all four, a setting", MILLION, seconds / 4.0, TARGET);
    Ok(())
}

fn readings() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for calls in [MILLION, 10 * MILLION] {
        for (format, line) in [("nginx", nginx as fn(&Call) -> String), ("JSON lines", json)] {
            let file = folder.path().join("log");
            let mut out = BufWriter::new(fs::File::create(&file)?);
            generate(calls).try_for_each(|call| writeln!(out, "{}", line(&call)))?;
            out.flush()?;
            row(&format!("reading {format}"), calls, read(&file)?, TARGET_OF_LINES);
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn row(name: &str, calls: u64, seconds: f64, target: f64) {
    let rate = calls as f64 / seconds;
    let verdict = if rate >= target { "reached" } else { "MISSED" };
    let (nanos, peak, target) = (1e9 / rate, peak_megabytes(), target / 1e6);
    println!("| {name} | {calls} | {:.2} | {nanos:.0} | {peak:.0} | {target} M: {verdict} |", rate / 1e6);
}

fn keys() -> Keys {
    let mut keys = Keys::new(By::Upstream);
    for service in 0..SERVICES {
        let upstream = Some(format!("10.0.0.{service}:80").into());
        let end = LoggedEnd::Abandoned;
        keys.call(&LoggedCall {
            start: 0,
            took: None,
            end,
            has_zone: true,
            upstream,
            service: None,
            route: None,
        });
    }
    keys
}

/// A thousand calls a second to four services, 20 ms each, of which each is down for a tenth of the time.
fn generate(calls: u64) -> impl Iterator<Item = Call> {
    (0..calls).map(|number| {
        // The steps of a hash, so that neighbours differ.
        let luck = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let key = (luck % u64::from(SERVICES)) as u32;
        let is_down = (number / 10_000 + u64::from(key)) % 10 == 0;
        let is_bad = luck % 1_000 < if is_down { 900 } else { 2 };
        let outcome = if is_bad { Outcome::Failure } else { Outcome::Success };
        let took = 10_000_000 + luck % 20_000_000;
        let start = 1_700_000_000_000_000_000 + number * 1_000_000;
        Call { start, took: Some(took), key, end: LoggedEnd::Outcome(outcome) }
    })
}

/// Returns the rejected calls and the seconds.
#[expect(clippy::disallowed_methods, reason = "a stopwatch: wall time is what a benchmark is about")]
fn replay(keys: &Keys, settings: Vec<Setting>, calls: u64) -> (u64, f64) {
    let mut replay = Replay::new(settings, Some(1_000_000_000));
    let began = Instant::now();
    generate(calls).for_each(|call| replay.push(keys, call));
    let report = replay.finish();
    (report.settings.iter().map(|setting| setting.rejected()).sum(), began.elapsed().as_secs_f64())
}

/// Returns the seconds to read a file, without a replay.
#[expect(clippy::disallowed_methods, reason = "a stopwatch: wall time is what a benchmark is about")]
fn read(file: &Path) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    let mut source = Source::open(&[file], Keys::new(By::Upstream), &SourceOptions::default())?;
    while source.next_call()?.is_some() {}
    assert_eq!(source.counts().broken, 0, "{:?}", source.counts().broken_lines);
    Ok(began.elapsed().as_secs_f64())
}

fn status(call: &Call) -> u16 {
    if call.end == LoggedEnd::Outcome(Outcome::Success) { 200 } else { 503 }
}

fn nginx(call: &Call) -> String {
    let took = call.took.unwrap_or(0) as f64 / 1e9;
    let (second, status, key) = (call.start / 1_000_000_000 % 60, status(call), call.key);
    let minute = call.start / 60_000_000_000 % 60;
    format!(
        "192.0.2.1 - - [14/Nov/2023:22:{minute:02}:{second:02} +0000] \"GET /items/7 HTTP/1.1\" {status} 512 \"-\" \"example/1.0\" rt={took:.3} upstream=10.0.0.{key}:80"
    )
}

fn json(call: &Call) -> String {
    let (start, took) = (call.start as f64 / 1e9, call.took.unwrap_or(0) as f64 / 1e9);
    let (status, key) = (status(call), call.key);
    format!(
        "{{\"start\":{start:.3},\"status\":{status},\"request_time\":{took:.3},\"upstream_addr\":\"10.0.0.{key}:80\",\"uri\":\"/items/7\",\"bytes\":512}}"
    )
}

/// The peak of the resident memory of this process so far; 0 where the system does not state it.
fn peak_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.and_then(|kilobytes| kilobytes.trim().parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
