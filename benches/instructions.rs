//! Instructions and locked instructions per call, as callgrind counts them: figures that repeat.
//!
//! `.ci/instructions` builds and runs this. Without arguments it runs itself under valgrind, twice for
//! each case, and prints what the additional calls of the second run took; with a case's number and a
//! number of calls it makes those calls. Valgrind serves the clock by a system call, whose work is not
//! counted, so a row that reads the clock shows fewer instructions than it has outside.

#![allow(dead_code, reason = "the cases are those of the timed benches, which use more of these modules")]

mod alloc;
mod configs;
mod harness;
mod limit;
mod listing;
mod peers;
mod rows;
mod services;
mod table;

use std::collections::HashSet;
use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use harness::Case;

const FEW: u64 = 1_000;
const MANY: u64 = 3_000;

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a table for the person who asked for it")]
fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime of one thread can be built");
    let _entered = runtime.enter();
    let arguments: Vec<u64> = env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    if let [place, calls] = arguments[..] {
        cases()[place as usize].1.run(calls);
        return ExitCode::SUCCESS;
    }
    match report() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("valgrind and objdump are needed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn cases() -> Vec<(&'static str, Case)> {
    let of = |kind, cases: Vec<Case>| cases.into_iter().map(move |case| (kind, case));
    of("tower, closed", rows::closed_tower::cases())
        .chain(of("direct, closed", rows::closed_direct::cases()))
        .chain(of("direct, 1 % fail", rows::mixed::cases(100)))
        .chain(of("direct, open", rows::open::direct_cases()))
        .chain(of("tower, open", rows::open::tower_cases().0))
        .chain(of("reqwest, closed", rows::reqwest::cases()))
        .chain(of("tonic, closed", rows::tonic::cases()))
        .collect()
}

fn report() -> io::Result<String> {
    let program = env::current_exe()?;
    let locked = listing::locked(&program)?;
    let mut text = format!("| {:<54} | instructions | locked |\n|---|--:|--:|\n", "per call");
    for (place, (kind, case)) in cases().iter().enumerate() {
        let few = run(&program, place, FEW, &locked)?;
        let many = run(&program, place, MANY, &locked)?;
        let each = |many: u64, few: u64| many.saturating_sub(few) as f64 / (MANY - FEW) as f64;
        let (all, atomic) = (each(many.all, few.all), each(many.locked, few.locked));
        text += &format!("| {:<54} | {all:12.0} | {atomic:6.1} |\n", format!("{kind}: {}", case.name));
    }
    Ok(text)
}

/// What a run has executed.
struct Counted {
    all: u64,
    locked: u64,
}

fn run(program: &Path, place: usize, calls: u64, locked: &HashSet<u64>) -> io::Result<Counted> {
    let out = env::temp_dir().join(format!("fusebox-callgrind.{}", std::process::id()));
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-instr=yes", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([place.to_string(), calls.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("valgrind ended with {status}")));
    }
    let profile = fs::read_to_string(&out)?;
    fs::remove_file(&out)?;
    Ok(count(&profile, program, locked))
}

/// Adds up the lines `0xaddress line cost` of a callgrind profile; the line after `calls=` is the cost
/// of a callee, which has lines of its own.
fn count(profile: &str, program: &Path, locked: &HashSet<u64>) -> Counted {
    let mut counted = Counted { all: 0, locked: 0 };
    let mut in_program = false;
    let mut of_callee = false;
    for line in profile.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            in_program = Path::new(object) == program;
        } else if line.starts_with("calls=") {
            of_callee = true;
        } else if let Some(cost) = line.strip_prefix("0x") {
            let mut words = cost.split_ascii_whitespace();
            let address = words.next().and_then(|word| u64::from_str_radix(word, 16).ok());
            let times: u64 = words.last().and_then(|word| word.parse().ok()).unwrap_or(0);
            if !std::mem::take(&mut of_callee) {
                counted.all += times;
                let atomic = in_program && address.is_some_and(|address| locked.contains(&address));
                counted.locked += if atomic { times } else { 0 };
            }
        }
    }
    counted
}
