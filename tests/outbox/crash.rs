//! Writer processes that are killed at random instants.
//!
//! A writer is this test program itself, with [`FILE`] set. It prints what it delivers, so its output is the receiver,
//! which survives it, and it prints each promise that it got from the outbox.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the output of the writer is what its receiver gets"
)]

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use halfopen::CircuitBreaker;
use halfopen_outbox::{Item, Outbox, Sender, SqliteStore};

/// The file of the outbox.
const FILE: &str = "HALFOPEN_OUTBOX_WRITER_FILE";

/// The first number that a writer sends in each lane; without it, a writer only delivers what is stored.
const FIRST: &str = "HALFOPEN_OUTBOX_WRITER_FIRST";

/// The prefix of the writer's lanes.
const PREFIX: &str = "HALFOPEN_OUTBOX_WRITER_PREFIX";

const LANES: usize = 4;

/// How often writers are killed, unless `HALFOPEN_OUTBOX_KILLS` sets another number.
const KILLS: usize = 20;

#[test]
fn nothing_is_lost_when_the_writer_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    let (mut seen, mut random) = (Seen::default(), Random::new());
    let kills = kills();
    for kill in 0..kills {
        let mut writer = Writer::start(&file, "", Some(1_000_000 * (kill as u64 + 1)));
        // One in eight is killed while it opens the store, the others after some lines, which is in the middle of anything.
        let lines = if random.below(8) == 0 { 0 } else { random.below(400) };
        writer.read(lines, &mut seen);
        random.spin();
        writer.kill(&mut seen);
    }
    Writer::start(&file, "", None).finish(&mut seen);
    seen.check(kills);
    eprintln!("{kills} kills, seed {}: {}", random.seed, seen.summary());
}

#[test]
fn two_writers_share_a_file_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outbox.db");
    let (mut seen, mut random) = (Seen::default(), Random::new());
    let rounds = kills().div_ceil(4);
    for round in 0..rounds {
        let first = Some(1_000_000 * (round as u64 + 1));
        let mut writers = ["a", "b"].map(|prefix| Writer::start(&file, prefix, first));
        for writer in &mut writers {
            writer.read(random.below(100), &mut seen);
        }
        // The one that delivers is killed first in some rounds, the other in the rest.
        let first = random.below(2);
        writers[first].kill(&mut seen);
        writers[1 - first].read(random.below(100), &mut seen);
        writers[1 - first].kill(&mut seen);
    }
    Writer::start(&file, "", None).finish(&mut seen);
    seen.check(2 * rounds);
    eprintln!("{rounds} rounds, seed {}: {}", random.seed, seen.summary());
}

/// The writer process; started without [`FILE`], as the other tests are, it has nothing to do.
#[test]
fn writer() {
    let Ok(file) = std::env::var(FILE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(write(Path::new(&file)));
}

async fn write(file: &Path) {
    let store = SqliteStore::open(file).await.unwrap();
    let breaker = CircuitBreaker::builder("receiver").build();
    let outbox = Outbox::builder(store, deliver).breaker(breaker.clone()).replay_interval(Duration::ZERO);
    let outbox = outbox.build().await.unwrap();
    let Ok(first) = std::env::var(FIRST) else {
        println!("left {}", outbox.close(Duration::from_secs(60)).await);
        return;
    };
    let (first, prefix): (u64, _) = (first.parse().unwrap(), std::env::var(PREFIX).unwrap());
    let lanes = (0..LANES).map(|lane| {
        let (outbox, breaker, prefix) = (outbox.clone(), breaker.clone(), prefix.clone());
        tokio::spawn(async move {
            for number in first.. {
                // Calls pass for half of the time: items are sent, stored and replayed.
                match (lane, number % 20) {
                    (0, 0) => breaker.force_open(),
                    (0, 10) => breaker.reset(),
                    _ => {}
                }
                promise(&outbox, format!("{prefix}{lane}"), number).await;
            }
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.unwrap();
    }
}

async fn promise(outbox: &Outbox<impl Sender>, lane: String, number: u64) {
    let item = Item::new(number.to_string()).lane(lane.clone()).key(format!("{lane}-{number}"));
    if outbox.send(item).await.is_ok() {
        println!("promised {lane} {number}");
    }
}

async fn deliver(item: Item) -> Result<(), std::io::Error> {
    let number = std::str::from_utf8(item.payload()).unwrap();
    println!("received {} {number}", item.lane_name());
    Ok(())
}

struct Writer {
    child: Child,
    lines: Receiver<String>,
}

impl Writer {
    fn start(file: &Path, prefix: &str, first: Option<u64>) -> Writer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "crash::writer", "--nocapture"]).env(FILE, file).env(PREFIX, prefix);
        if let Some(first) = first {
            command.env(FIRST, first.to_string());
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        // Read as it comes: a writer whose pipe is full stops, maybe in a transaction for which the other one waits.
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Writer { child, lines }
    }

    fn read(&mut self, lines: usize, seen: &mut Seen) {
        self.lines.iter().take(lines).for_each(|line| seen.line(&line));
    }

    /// Kills the process with SIGKILL. What it printed before is still in the pipe.
    fn kill(&mut self, seen: &mut Seen) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().for_each(|line| seen.line(&line));
    }

    fn finish(mut self, seen: &mut Seen) {
        let mut left = None;
        for line in &self.lines {
            seen.line(&line);
            left = line.strip_prefix("left ").map(str::to_owned).or(left);
        }
        assert!(self.child.wait().unwrap().success());
        assert_eq!(left.as_deref(), Some("0"), "all is delivered");
    }
}

#[derive(Default)]
struct Seen {
    promised: HashSet<(String, u64)>,
    /// The numbers of each lane in the order of their arrival, repetitions included.
    received: BTreeMap<String, Vec<u64>>,
}

impl Seen {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["promised", lane, number] => {
                self.promised.insert((lane.to_owned(), number.parse().unwrap()));
            }
            ["received", lane, number] => {
                self.received.entry(lane.to_owned()).or_default().push(number.parse().unwrap());
            }
            _ => {}
        }
    }

    fn check(&self, kills: usize) {
        assert!(!self.promised.is_empty(), "the writer came to promise something");
        for (lane, number) in &self.promised {
            let received = self.received.get(lane).is_some_and(|numbers| numbers.contains(number));
            assert!(received, "{lane} {number} was promised and is lost");
        }
        for (lane, numbers) in &self.received {
            let first = first_arrivals(numbers);
            let disorder = first.windows(2).find(|pair| pair[0] > pair[1]);
            assert_eq!(disorder, None, "the order of lane {lane}");
        }
        let duplicates = self.duplicates();
        assert!(
            duplicates <= kills * LANES * 2,
            "{duplicates} duplicates of {kills} kills: at most two a lane"
        );
    }

    fn duplicates(&self) -> usize {
        self.received.values().map(|numbers| numbers.len() - first_arrivals(numbers).len()).sum()
    }

    fn summary(&self) -> String {
        let received: usize = self.received.values().map(Vec::len).sum();
        format!(
            "{} promised, {received} received, {} of them duplicates",
            self.promised.len(),
            self.duplicates()
        )
    }
}

fn first_arrivals(numbers: &[u64]) -> Vec<u64> {
    let mut seen = HashSet::new();
    numbers.iter().copied().filter(|number| seen.insert(*number)).collect()
}

fn kills() -> usize {
    std::env::var("HALFOPEN_OUTBOX_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"))
}

/// Random numbers from a seed that is printed (splitmix64).
struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    fn new() -> Random {
        let seed = RandomState::new().hash_one(());
        Random { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Lets a random time pass, of up to a few milliseconds, so that a kill is not tied to a line.
    fn spin(&mut self) {
        for _ in 0..self.below(1_000_000) {
            std::hint::spin_loop();
        }
    }
}
