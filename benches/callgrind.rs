//! Instructions and locked instructions, counted by callgrind. The figures are reproducible.
//!
//! The program runs itself under valgrind. Valgrind reads the clock with a system call, whose instructions are
//! not counted, so a row that reads the clock shows fewer instructions than it executes outside of valgrind.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::listing;

const FEW: u64 = 1_000;
const MANY: u64 = 3_000;

/// The argument before the case and the number of calls of a counted run.
const COUNTED: &str = "--counted";

/// The instructions of a call.
pub(crate) struct Counted {
    pub(crate) all: f64,
    pub(crate) locked: f64,
}

/// This program, to be run under callgrind.
pub(crate) struct Callgrind {
    program: PathBuf,
    locked: HashSet<u64>,
}

/// Returns the case and the number of calls if this is a counted run.
pub(crate) fn asked() -> Option<(usize, u64)> {
    let mut words = env::args().skip_while(|word| word != COUNTED).skip(1);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

impl Callgrind {
    /// # Errors
    ///
    /// If valgrind or objdump cannot be run.
    pub(crate) fn new() -> io::Result<Callgrind> {
        let missing = |error| io::Error::other(format!("valgrind: {error}"));
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().map_err(missing)?;
        let program = env::current_exe()?;
        let locked =
            listing::locked(&program).map_err(|error| io::Error::other(format!("objdump: {error}")))?;
        Ok(Callgrind { program, locked })
    }

    /// The cost per call of the additional calls of a longer run; startup and shutdown are in both runs and
    /// cancel out.
    ///
    /// # Errors
    ///
    /// If a run fails.
    pub(crate) fn per_call(&self, case: usize) -> io::Result<Counted> {
        let (few, many) = thread::scope(|scope| {
            let few = scope.spawn(|| self.run(case, FEW));
            let many = self.run(case, MANY);
            (few.join().expect("running a program does not panic"), many)
        });
        let ((few, few_locked), (many, many_locked)) = (few?, many?);
        let each = |many: u64, few: u64| many.saturating_sub(few) as f64 / (MANY - FEW) as f64;
        Ok(Counted { all: each(many, few), locked: each(many_locked, few_locked) })
    }

    fn run(&self, case: usize, calls: u64) -> io::Result<(u64, u64)> {
        let out = env::temp_dir().join(format!("halfopen-callgrind.{}.{calls}", std::process::id()));
        let status = Command::new("valgrind")
            .args(["--tool=callgrind", "--dump-instr=yes", "--compress-strings=no", "--compress-pos=no"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(&self.program)
            .args([COUNTED, &case.to_string(), &calls.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!("valgrind ended with {status}")));
        }
        let profile = fs::read_to_string(&out)?;
        fs::remove_file(&out)?;
        Ok(count(&profile, &self.program, &self.locked))
    }
}

/// Sums the lines `0xaddress line cost` of a callgrind profile, all of them and the locked ones. The line after
/// `calls=` is the cost of a callee, which has lines of its own.
fn count(profile: &str, program: &Path, locked: &HashSet<u64>) -> (u64, u64) {
    let (mut all, mut atomic) = (0, 0);
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
                all += times;
                let is_locked = in_program && address.is_some_and(|address| locked.contains(&address));
                atomic += if is_locked { times } else { 0 };
            }
        }
    }
    (all, atomic)
}
