//! The codes of servers, and their default outcomes.

use std::borrow::Cow;
use std::fmt;

use halfopen::Outcome;
use sqlx::error::DatabaseError;

/// The code of an error, in the form that its database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Code<'a> {
    /// Of PostgreSQL, and of MySQL where its driver is not known.
    SqlState(Cow<'a, str>),
    #[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "only the driver has numbers"))]
    MySql { number: u16, state: Option<Cow<'a, str>> },
    /// An extended result code.
    Sqlite(i32),
}

impl<'a> Code<'a> {
    pub(super) fn of(error: &'a dyn DatabaseError) -> Option<Code<'a>> {
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return Some(Code::MySql { number: error.number(), state: error.code().map(Cow::Borrowed) });
        }
        let code = error.code()?;
        // A SQLSTATE has five characters, the largest result code of SQLite four digits.
        match code.parse() {
            Ok(number) if code.len() < 5 => Some(Code::Sqlite(number)),
            _ => Some(Code::SqlState(code)),
        }
    }

    /// Returns the outcome without changes.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Code::SqlState(state) => of_postgres(state),
            Code::MySql { number, state } => of_mysql(*number, state.as_deref().unwrap_or_default()),
            Code::Sqlite(code) => of_sqlite(*code),
        }
    }
}

fn of_postgres(state: &str) -> Outcome {
    match state {
        // Shutdown, crash, start, idle for too long.
        "57P01" | "57P02" | "57P03" | "57P05"
        // Disk, memory, connections. 53400 is a limit of the query.
        | "53000" | "53100" | "53200" | "53300"
        // Statement timeout, which cannot be distinguished from a cancellation.
        | "57014"
        // Read only: demoted by a failover.
        | "25006" => Outcome::Failure,
        // Connection, system, internal.
        _ if ["08", "58", "XX"].iter().any(|class| state.starts_with(class)) => Outcome::Failure,
        _ => Outcome::Success,
    }
}

fn of_mysql(number: u16, state: &str) -> Outcome {
    match number {
        // Disk, memory, connections, resources, shutdown. 1114, a full table, is that of a full disk too.
        1021 | 1037 | 1040 | 1041 | 1053 | 1114 | 1203
        // Blocked host, no thread, offline mode. They have the SQLSTATE HY000.
        | 1129 | 1135 | 3032
        // Read only.
        | 1290 | 1836
        // Killed query and connection; statement time of MariaDB and of MySQL.
        | 1317 | 1927 | 1969 | 3024 => Outcome::Failure,
        // A limit of this user. Its SQLSTATE is that of a syntax error.
        1226 => Outcome::Throttled,
        // The caller's own transaction is read only; contention; configuration.
        1792 | 1205 | 1213 | 1044 | 1045 | 1049 => Outcome::Success,
        _ if state.starts_with("08") => Outcome::Failure,
        _ => Outcome::Success,
    }
}

fn of_sqlite(code: i32) -> Outcome {
    match primary(code) {
        // Memory, read only, I/O, corrupt, full, not opened, not a database.
        7 | 8 | 10 | 11 | 13 | 14 | 26 => Outcome::Failure,
        _ => Outcome::Success,
    }
}

/// The primary code of an extended one.
pub(super) fn primary(code: i32) -> i32 {
    code & 0xff
}

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::SqlState(state) => write!(f, "SQLSTATE {state}"),
            Code::MySql { number, state: Some(state) } => write!(f, "error {number}, SQLSTATE {state}"),
            Code::MySql { number, state: None } => write!(f, "error {number}"),
            Code::Sqlite(code) => write!(f, "SQLite result code {code}"),
        }
    }
}
