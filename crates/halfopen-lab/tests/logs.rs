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

fn csv(lines: &[&str]) -> (Vec<Call>, LineCounts) {
    let lines = [&["start,status,path"], lines].concat();
    read(&lines, &SourceOptions::default())
}

/// The line and the reason of each broken line.
fn broken(counts: &LineCounts) -> Vec<(u64, &str)> {
    counts.broken_lines.iter().map(|line| (line.line, line.problem.as_str())).collect()
}

const OPEN: &str = "line has a quote that is not closed";

#[test]
fn a_quoted_value_may_have_line_breaks() {
    let lines = ["1,200,\"/a", "", "2,500,/b\"\"\"", "3,200,/c", "x,200,\"\r\n\"", "4,200,/d"];
    let (calls, counts) = csv(&lines);
    assert_eq!(starts(&calls), [1, 3, 4]);
    assert_eq!((counts.lines, counts.calls, counts.broken), (5, 3, 1), "a record counts as one line");
    assert_eq!(counts.broken_lines[0].line, 6, "a broken record has the number of its first line");
}

#[test]
fn a_header_may_have_line_breaks() {
    let (calls, counts) =
        read(&["start,\"of the", "service\",status", "1,x,200", "2"], &SourceOptions::default());
    assert_eq!(starts(&calls), [1]);
    assert_eq!(broken(&counts), [(4, "line has 1 values, must have 3 as the header")]);
}

#[test]
fn an_open_quote_loses_its_own_line_only() {
    for after in
        [vec!["2,500,/b", "3,200,/c"], vec!["2,500,\"/b\"", "3,200,\"/c\""], vec!["2,500,/b", "3,200,\"\""]]
    {
        let (calls, counts) = csv(&[&["1,200,\"/a"], &after[..]].concat());
        assert_eq!(starts(&calls), [2, 3], "before {after:?}");
        assert_eq!(broken(&counts), [(2, OPEN)], "before {after:?}");
    }
    let (calls, counts) = csv(&["1,200,/a", "2,200,\"/b"]);
    assert_eq!((starts(&calls), broken(&counts)), (vec![1], vec![(3, OPEN)]), "at the end");
}

#[test]
fn an_open_quote_reads_a_bounded_part_of_the_log() {
    let many: Vec<_> = (0..5_000).map(|start| format!("{start},200,/")).collect();
    let mut lines: Vec<_> = many.iter().map(String::as_str).collect();
    let (first, last) = ("6000,200,\"", "\"");
    lines.insert(10, first);
    lines.push(last);
    let (calls, counts) = csv(&lines);
    assert_eq!((calls.len(), counts.broken), (5_000, 2));
    assert_eq!(broken(&counts)[0], (12, OPEN), "the quote that could close it is 5,000 lines away");
}

#[test]
fn trailing_values_that_are_empty_are_values() {
    let (calls, counts) = read(&["start\tstatus\tpath", "1\t200\t\r", "2\t500\t"], &SourceOptions::default());
    assert_eq!((starts(&calls), counts.broken), (vec![1, 2], 0), "{counts:?}");
}

#[test]
fn a_column_that_is_named_twice_is_an_error() {
    let (calls, counts) = read(&["start,status,note,note,status", "1,200,,,500"], &SourceOptions::default());
    assert_eq!(calls, []);
    assert_eq!(broken(&counts)[0], (1, "line names the column \"status\" twice"));
}
