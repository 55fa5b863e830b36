//! The calls of files: order, broken lines, several logs.

use std::fs;
use std::path::PathBuf;

use halfopen_lab::{By, Call, Keys, LineCounts, Source, SourceOptions};
use tempfile::TempDir;

/// Calls of a file with these lines, and the account of the lines.
fn read(lines: &[&str], options: &SourceOptions) -> (Vec<Call>, LineCounts) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(&folder, "a.log", &lines.join("\n"));
    let mut source = Source::open(&[file], Keys::new(By::All), options).expect("a known format");
    let mut calls = Vec::new();
    while let Some(call) = source.next_call().expect("readable") {
        calls.push(call);
    }
    (calls, source.counts().clone())
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a folder of the test");
    path
}

fn line(start: u64, status: u16) -> String {
    format!(r#"{{"start":{start},"status":{status},"duration":0.5}}"#)
}

fn starts(calls: &[Call]) -> Vec<u64> {
    calls.iter().map(|call| call.start / 1_000_000_000).collect()
}

#[test]
fn calls_are_in_the_order_of_their_starts() {
    let lines = [5, 3, 4, 1, 2].map(|start| line(start, 200));
    let (calls, counts) = read(&lines.each_ref().map(String::as_str), &SourceOptions::default());
    assert_eq!(starts(&calls), [1, 2, 3, 4, 5]);
    assert_eq!((counts.calls, counts.out_of_order), (5, 0));
}

#[test]
fn calls_that_leave_a_small_buffer_late_are_counted() {
    let lines = [5, 6, 7, 8, 9, 1, 10].map(|start| line(start, 200));
    let options = SourceOptions { reorder: 2, ..SourceOptions::default() };
    let (calls, counts) = read(&lines.each_ref().map(String::as_str), &options);
    assert_eq!(starts(&calls), [5, 6, 7, 8, 9, 10], "two to four calls are held back");
    assert_eq!((counts.calls, counts.out_of_order), (6, 1));
}

#[test]
fn every_line_is_a_call_or_is_counted() {
    let good = line(1, 200);
    let lines = [&good, "{", "", "{\"start\":2}", &good, "{\"start\":\"x\",\"status\":200}"];
    let (calls, counts) = read(&lines, &SourceOptions::default());
    assert_eq!((calls.len(), counts.lines, counts.broken), (2, 5, 3));
    let places: Vec<_> = counts.broken_lines.iter().map(|line| (line.line, line.problem.as_str())).collect();
    assert_eq!(places[1], (4, "status is missing"));
    assert_eq!(places[0].0, 2);
    assert!(places[2].1.starts_with("time is \"x\", must be"), "{}", places[2].1);
}

#[test]
fn logs_of_several_servers_are_merged() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = write(&folder, "one", &[line(1, 200), line(4, 200)].join("\n"));
    let other = write(&folder, "other", "start,status\n2,200\n3,500\n");
    let mut source =
        Source::open(&[one, other], Keys::new(By::All), &SourceOptions::default()).expect("known");
    let calls: Vec<_> = std::iter::from_fn(|| source.next_call().expect("readable")).collect();
    assert_eq!(starts(&calls), [1, 2, 3, 4]);
    assert_eq!(source.counts().without_duration, 2);
}
