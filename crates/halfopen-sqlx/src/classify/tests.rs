use std::io;

use super::*;

fn states(states: &[&'static str], expected: Outcome) {
    for state in states {
        let outcome = SqlxClassify::new().outcome_of_code(&Code::SqlState((*state).into()));
        assert_eq!(outcome, expected, "SQLSTATE {state}");
    }
}

fn numbers(numbers: &[u16], state: &'static str, expected: Outcome) {
    for number in numbers {
        let code = Code::MySql { number: *number, state: Some(state.into()) };
        assert_eq!(SqlxClassify::new().outcome_of_code(&code), expected, "number {number}");
    }
}

fn results(codes: &[i32], expected: Outcome) {
    for code in codes {
        assert_eq!(SqlxClassify::new().outcome_of_code(&Code::Sqlite(*code)), expected, "result code {code}");
    }
}

#[test]
fn variants_have_the_outcomes_of_the_table() {
    let failures = [
        Error::PoolTimedOut,
        Error::Io(io::ErrorKind::UnexpectedEof.into()),
        Error::Tls("no certificate".into()),
        Error::Protocol("unknown message".into()),
        Error::WorkerCrashed,
        Error::BeginFailed,
    ];
    assert!(failures.iter().all(|error| outcome(error) == Outcome::Failure));
    let ignored =
        [Error::PoolClosed, Error::Configuration("no URL".into()), Error::InvalidArgument("0".into())];
    assert!(ignored.iter().all(|error| outcome(error) == Outcome::Ignored));
    let answers = [
        Error::RowNotFound,
        Error::ColumnNotFound("id".into()),
        Error::Decode("no number".into()),
        Error::Encode("too long".into()),
        Error::ColumnIndexOutOfBounds { index: 1, len: 1 },
    ];
    assert!(answers.iter().all(|error| outcome(error) == Outcome::Success));
}

#[test]
fn a_rejection_of_another_breaker_is_ignored() {
    let rejected = halfopen::Rejected::new("inner", halfopen::RejectReason::Open, None);
    assert_eq!(outcome(&crate::error::rejected(rejected)), Outcome::Ignored);
}

#[test]
fn sqlstates_have_the_outcomes_of_the_table() {
    states(&["57P01", "57P02", "57P03", "57P05", "57014", "25006"], Outcome::Failure);
    states(&["08000", "08006", "58030", "58P01", "XX000", "XX001"], Outcome::Failure);
    states(&["53000", "53100", "53200", "53300"], Outcome::Failure);
    states(&["53400", "54000", "54001", "25P02", "25P03", "55P03", "40001", "40P01"], Outcome::Success);
    states(&["28000", "28P01", "3D000", "22012", "23505", "42601", "57000"], Outcome::Success);
}

#[test]
fn numbers_of_mysql_have_the_outcomes_of_the_table() {
    numbers(
        &[1021, 1037, 1040, 1041, 1053, 1114, 1129, 1135, 1203, 1290, 1836, 1969, 3024, 3032, 1317, 1927],
        "HY000",
        Outcome::Failure,
    );
    numbers(&[1226], "42000", Outcome::Throttled);
    numbers(&[1205, 1213, 1792, 1044, 1045, 1049, 1062, 1064, 1146], "HY000", Outcome::Success);
    // 4031 is an idle connection to MySQL, but a missing trigger to MariaDB.
    numbers(&[4031], "HY000", Outcome::Success);
    numbers(&[1043, 1158], "08S01", Outcome::Failure);
}

#[test]
fn result_codes_of_sqlite_have_the_outcomes_of_the_table() {
    results(&[7, 8, 10, 11, 13, 14, 26, 1032, 266, 3338], Outcome::Failure);
    results(&[1, 5, 6, 19, 261, 517, 262, 2067, 787], Outcome::Success);
}

#[test]
fn a_change_applies_to_a_code_before_its_class() {
    let classify = SqlxClassify::new()
        .postgres("28", Outcome::Failure)
        .postgres("28P01", Outcome::Ignored)
        .sqlite(5, Outcome::Throttled)
        .sqlite(517, Outcome::Ignored)
        .mysql(1290, Outcome::Failure)
        .mysql(1290, Outcome::Success);
    let outcome = |code| classify.outcome_of_code(&code);
    assert_eq!(outcome(Code::SqlState("28000".into())), Outcome::Failure);
    assert_eq!(outcome(Code::SqlState("28P01".into())), Outcome::Ignored);
    assert_eq!(outcome(Code::SqlState("3D000".into())), Outcome::Success);
    assert_eq!(outcome(Code::Sqlite(261)), Outcome::Throttled);
    assert_eq!(outcome(Code::Sqlite(517)), Outcome::Ignored);
    assert_eq!(outcome(Code::MySql { number: 1290, state: None }), Outcome::Success, "the last one applies");
}

#[test]
fn a_description_has_the_code_and_no_text() {
    let describe = |code: Code<'_>| code.to_string();
    assert_eq!(describe(Code::SqlState("57P01".into())), "SQLSTATE 57P01");
    assert_eq!(describe(Code::Sqlite(1032)), "SQLite result code 1032");
    let full = Code::MySql { number: 1040, state: Some("08004".into()) };
    assert_eq!(describe(full), "error 1040, SQLSTATE 08004");
}
