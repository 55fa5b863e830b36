//! The program: its output and its errors.
#![cfg(feature = "cli")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_halfopen-lab"))
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn the_example_has_the_output_of_the_readme() {
    let output = lab(&["replay", "examples/lab/incident.log"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.expect("a README");
    let shown = text(&output.stdout);
    assert!(readme.contains(&shown), "write this into the README:\n{shown}");
}

#[test]
fn json_has_the_figures_of_the_table() {
    let arguments =
        ["replay", "examples/lab/incident.log", "--json", "--config", "examples/lab/breakers.yaml"];
    let output = lab(&arguments);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let setting = &report["settings"][0];
    assert_eq!(setting["name"], "breakers.yaml");
    let log = &report["log"];
    let sum = ["good", "late", "bad", "unknown"].map(|part| log[part].as_u64().expect("a number"));
    assert_eq!(sum.iter().sum::<u64>(), log["calls"].as_u64().expect("a number"));
    assert_eq!(log["calls"], report["lines"]["calls"]);
    assert!(setting["rejected_bad"].as_u64() > Some(100), "{setting}");
}

#[test]
fn a_page_is_written_beside_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html").display().to_string();
    let output = lab(&["replay", "examples/lab/incident.log", "--html", &page]);
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", text(&output.stderr));
    let written = fs::read_to_string(&page).expect("a page");
    assert!(written.contains("examples/lab/incident.log: nginx"), "with the account of the logs");
    assert_eq!(written.matches("<svg").count(), 7, "one of the wait, three of each setting");

    let output = lab(&["replay", "examples/lab/incident.log", "--html", "absent/report.html"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: absent/report.html: "), "{}", text(&output.stderr));
}

#[test]
fn a_simulation_scores_each_setting() {
    let arguments = ["simulate", "cold-outage", "--seeds", "1", "--json"];
    let output = lab(&[&arguments[..], &["--config", "examples/lab/breakers.yaml"]].concat());
    let scores: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&scores["settings"][0], &scores["scenarios"]), (&"breakers.yaml".into(), &1.into()));
    let row = &scores["tables"][0]["rows"][0];
    assert_eq!(row[0], "1 incidents");
    assert!(row[1][0].as_f64().is_some_and(|score| score > 0.5 && score < 1.0), "{row}");

    let listed = text(&lab(&["simulate", "--list"]).stdout);
    assert_eq!(listed.lines().count(), 36);
    let unknown = lab(&["simulate", "outage61"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(text(&unknown.stderr), "error: `outage61` is no scenario of this set, see --list\n");
}

#[test]
fn errors_name_the_file_and_the_reason() {
    let error = |arguments: &[&str]| {
        let output = lab(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        text(&output.stderr)
    };
    assert!(error(&["replay", "absent.log"]).starts_with("error: absent.log: "));
    let unknown = error(&["replay", "LICENSE-MIT"]);
    assert!(unknown.starts_with("error: LICENSE-MIT: no known format in its first lines"), "{unknown}");
    let forced = error(&["replay", "LICENSE-MIT", "--format", "json"]);
    assert!(
        forced.starts_with(
            "error: the logs have no calls; LICENSE-MIT:1: line is not as expected at column 1: "
        ),
        "{forced}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a folder of the test");
        path.display().to_string()
    };
    let config = file("bad.yaml", "breakers:\n  x:\n    open_duration: -5s\n");
    let refused = error(&["replay", "examples/lab/incident.log", "--config", &config]);
    assert!(refused.starts_with("error: `breakers.x.open_duration` is \"-5s\""), "{refused}");
    let line = "::1 - - [10/Oct/2000:20:55:36 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\"\r";
    let returns = error(&["replay", &file("returns.log", &line.repeat(3)), "--format", "nginx"]);
    assert!(
        returns.ends_with("returns.log:1: line has a carriage return, must end with a line feed\n"),
        "{returns}"
    );
    assert!(error(&["simulate", "--breaker", "x"]).contains("--config"));
    assert!(error(&["replay", "x", "--late", "-1s"]).contains("--late"));
    assert!(error(&["replay", "x", "--field", "a=b"]).contains("must be one of: time, start"));
    assert!(error(&["replay", "x", "--late", "soon"]).contains("--late"));
    assert!(error(&["replay", "LICENSE-MIT", "--format", "apache"]).contains("must be one of: nginx"));
}

#[test]
fn advice_is_judged_by_calls_that_did_not_choose() {
    let output = lab(&["advise", "examples/lab/incident.log"]);
    let advice = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(advice.starts_with("22 settings on the first 599 calls:\n\nAdvice: "), "{advice}");
    assert!(advice.contains("On the calls after them, which did not choose: 599 calls"), "{advice}");
}

/// Writes a call a second, of which those fail for which the function returns true.
fn calls(folder: &tempfile::TempDir, count: u32, is_bad: impl Fn(u32) -> bool) -> String {
    let log = folder.path().join("calls.csv");
    let lines = (0..count).map(|second| format!("{second},{}\n", if is_bad(second) { 500 } else { 200 }));
    fs::write(&log, format!("start,status\n{}", lines.collect::<String>())).expect("a folder of the test");
    log.display().to_string()
}

#[test]
fn the_part_that_judges_has_no_part_in_the_choice() {
    let folder = tempfile::tempdir().expect("a folder");
    let choice = |second: fn(u32) -> bool| {
        let log = calls(
            &folder,
            2_000,
            |call| if call < 1_000 { (400..600).contains(&call) } else { second(call) },
        );
        let advice = text(&lab(&["advise", &log]).stdout);
        let (choice, judgment) = advice.split_once("\nOn the calls after them").expect("advice");
        (choice.to_owned(), judgment.contains("There it does not help"))
    };
    let (same, helps) = (choice(|call| (1_400..1_600).contains(&call)), choice(|_| false));
    assert_eq!(same.0, helps.0, "what comes after the choice does not change it");
    assert_eq!((same.1, helps.1), (false, true));
}

#[test]
fn advice_needs_enough_calls() {
    let folder = tempfile::tempdir().expect("a folder");
    let advise = |count: u32| lab(&["advise", &calls(&folder, count, |call| call > 20)]);
    let error = text(&advise(199).stderr);
    assert_eq!(
        error,
        "error: the logs have 199 calls, too few for advice: the first 50 % and the others must be at least 100 each\n"
    );
    assert!(advise(200).status.success());
}

#[test]
fn noise_is_no_reason_for_a_breaker() {
    let folder = tempfile::tempdir().expect("a folder");
    // Three in ten fail at any time, in no order.
    let log = calls(&folder, 5_000, |call| call.wrapping_mul(2_654_435_761) >> 16 < 19_660);
    assert!(text(&lab(&["advise", &log]).stdout).contains("No breaker helps these calls"));
}

#[test]
fn names_of_a_log_are_no_commands_of_a_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("names.json");
    fs::write(&log, "{\"start\":1,\"status\":200,\"upstream\":\"a\\u001b[31m\\u202e\"}\n").expect("a folder");
    let output = text(&lab(&["replay", &log.display().to_string()]).stdout);
    assert!(output.contains(r"breakers: 1 (a\u{1b}[31m\u{202e})"), "{output}");
    assert!(output.contains("\n1 call in 0.00 s"), "{output}");
}

#[test]
fn advice_for_a_healthy_service_is_no_breaker() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = lab(&["advise", &calls(&folder, 200, |second| second % 40 == 7)]);
    assert!(text(&output.stdout).contains("No breaker helps these calls"), "{}", text(&output.stdout));
}
