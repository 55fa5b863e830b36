//! The fuzz targets without a fuzzer: every file of their corpora, and some thousand inputs derived from them.

mod parsers;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 1_000;

/// The mutations of a fuzzer, in miniature.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
    Repeat(Index, Index),
    Append(Vec<u8>),
}

#[test]
fn every_target_holds_for_its_whole_corpus() {
    for (name, parse) in parsers::ALL {
        let corpus = corpus(name);
        assert!(corpus.len() >= 4, "{name}");
        corpus.iter().for_each(|bytes| parse(bytes));
    }
}

#[test]
fn whatever_becomes_of_a_corpus_holds() {
    for (name, parse) in parsers::ALL {
        let changed = (select(corpus(name)), prop::collection::vec(change(), 1..8))
            .prop_map(|(bytes, changes)| changes.into_iter().fold(bytes, apply));
        check(name, changed, parse);
    }
}

#[test]
fn whatever_a_peer_sends_holds() {
    for (name, parse) in parsers::ALL {
        check(name, prop::collection::vec(any::<u8>(), 0..64), parse);
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).expect("a folder of the checkout");
    files.map(|file| fs::read(file.expect("readable").path()).expect("readable")).collect()
}

fn check(name: &str, inputs: impl Strategy<Value = Vec<u8>>, parse: parsers::Parser) {
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&inputs, |bytes| {
        parse(&bytes);
        Ok(())
    });
    if let Err(failure) = ran {
        panic!("{name}: {failure}");
    }
}

fn change() -> impl Strategy<Value = Change> {
    // Half of the bytes are ones that the parsers treat specially.
    let byte = || {
        prop_oneof![any::<u8>(), select(b"0123456789+-.:,\"{}[] eEHMSmunsdhGT_=\x08\x0a\x12\x1a".to_vec())]
    };
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<Index>().prop_map(Change::Remove),
        any::<Index>().prop_map(Change::Cut),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
        prop::collection::vec(byte(), 1..24).prop_map(Change::Append),
    ]
}

fn apply(mut bytes: Vec<u8>, change: Change) -> Vec<u8> {
    let place = |at: Index, bytes: &[u8]| at.index(bytes.len() + 1);
    match change {
        Change::Append(more) => bytes.extend(more),
        Change::Insert(at, byte) => bytes.insert(place(at, &bytes), byte),
        Change::Cut(at) => bytes.truncate(place(at, &bytes)),
        Change::Repeat(from, to) => {
            let (from, to) = (place(from, &bytes), place(to, &bytes));
            bytes.extend_from_within(from.min(to)..from.max(to));
        }
        Change::Replace(at, byte) => {
            let at = place(at, &bytes);
            bytes.splice(at..bytes.len().min(at + 1), [byte]);
        }
        Change::Remove(at) => {
            let at = place(at, &bytes);
            bytes.drain(at..bytes.len().min(at + 1));
        }
    }
    bytes
}
