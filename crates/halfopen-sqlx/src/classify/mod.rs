mod codes;

use std::borrow::Cow;
use std::sync::Arc;

use halfopen::{Classify, Outcome};
use sqlx::Error;
use sqlx::error::DatabaseError;

use self::codes::Code;

/// Returns the outcome of a call that failed with this error, by the default rules of [`SqlxClassify`].
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
///
/// assert_eq!(halfopen_sqlx::outcome(&sqlx::Error::PoolTimedOut), Outcome::Failure);
/// assert_eq!(halfopen_sqlx::outcome(&sqlx::Error::RowNotFound), Outcome::Success);
/// ```
pub fn outcome(error: &Error) -> Outcome {
    SqlxClassify::new().outcome_of(error)
}

/// Classifies the results of calls to a database.
///
/// The variant of the error decides first, then the code of the server. What is not listed is a success: the server has
/// answered. The texts of errors are translated by servers, and decide nothing.
///
/// | error | outcome |
/// |---|---|
/// | `PoolTimedOut`, `Io`, `Tls`, `Protocol`, `WorkerCrashed`, `BeginFailed` | failure |
/// | `PoolClosed`, `Configuration`, `InvalidArgument`; a rejection of a breaker or a limit | ignored |
/// | `RowNotFound`, `ColumnNotFound`, `Decode`, `Encode` and other variants | success |
/// | PostgreSQL: 57P01, 57P02, 57P03, 57P05 (shutdown, crash, start, idle for too long), classes 08, 58, XX, and 53000, 53100, 53200, 53300 (disk, memory, connections) | failure |
/// | PostgreSQL: 57014 (statement timeout or cancelled), 25006 (read only) | failure |
/// | PostgreSQL: 53400, 54xxx, 25P03, 55P03, 40001, 40P01, 25P02, 28xxx, 3D000, 22xxx, 23xxx, 42xxx | success |
/// | MySQL, MariaDB: 1021, 1037, 1040, 1041, 1053, 1114, 1129, 1135, 1203, 3032 (disk, memory, connections, shutdown, blocked host, threads, offline), 1290, 1836 (read only), 1969, 3024 (statement timeout), 1317, 1927 (killed query or connection); others of SQLSTATE 08xxx | failure |
/// | MySQL, MariaDB: 1226 (a limit of the user) | failure, counted as throttled |
/// | MySQL, MariaDB: 1205, 1213, 1792, 1044, 1045, 1049, 1062, 1064, 1146 | success |
/// | SQLite: 7, 8, 10, 11, 13, 14, 26 and their extended codes (memory, read only, I/O, corrupt, full, not opened, not a database) | failure |
/// | SQLite: 5, 6 (busy, locked), 1, 19 and the rest | success |
///
/// [`postgres`](Self::postgres), [`mysql`](Self::mysql) and [`sqlite`](Self::sqlite) change rows. Errors that reach an
/// `Any` pool are those of its database. Those of MySQL have a number only with the feature `mysql`.
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
/// use halfopen_sqlx::SqlxClassify;
///
/// let classify = SqlxClassify::new()
///     .postgres("25006", Outcome::Success) // only reads are made here: a standby serves them
///     .postgres("28", Outcome::Failure) // every authentication error
///     .mysql(1792, Outcome::Failure)
///     .sqlite(5, Outcome::Throttled); // contention as an overload
/// assert_eq!(classify.outcome_of(&sqlx::Error::PoolTimedOut), Outcome::Failure);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SqlxClassify {
    /// Shared, so that a clone for a call does not allocate.
    changes: Option<Arc<Changes>>,
}

/// Outcomes that differ from the table.
#[derive(Clone, Debug, Default)]
struct Changes {
    postgres: Vec<(Cow<'static, str>, Outcome)>,
    mysql: Vec<(u16, Outcome)>,
    sqlite: Vec<(i32, Outcome)>,
}

impl SqlxClassify {
    /// Creates the default rules.
    pub const fn new() -> SqlxClassify {
        SqlxClassify { changes: None }
    }

    /// Sets the outcome of errors of PostgreSQL with this SQLSTATE, or with this class of two characters. A SQLSTATE
    /// takes precedence over its class.
    #[must_use]
    pub fn postgres(self, code: impl Into<Cow<'static, str>>, outcome: Outcome) -> Self {
        self.change(|changes| set(&mut changes.postgres, code.into(), outcome))
    }

    /// Sets the outcome of errors of MySQL and MariaDB with this number.
    #[must_use]
    pub fn mysql(self, number: u16, outcome: Outcome) -> Self {
        self.change(|changes| set(&mut changes.mysql, number, outcome))
    }

    /// Sets the outcome of errors of SQLite with this extended result code, or with this primary one. An extended code
    /// takes precedence over its primary one.
    #[must_use]
    pub fn sqlite(self, code: i32, outcome: Outcome) -> Self {
        self.change(|changes| set(&mut changes.sqlite, code, outcome))
    }

    fn change(self, change: impl FnOnce(&mut Changes)) -> Self {
        let mut changes = self.changes.unwrap_or_default();
        change(Arc::make_mut(&mut changes));
        SqlxClassify { changes: Some(changes) }
    }

    /// Returns the outcome of a call that failed with this error.
    pub fn outcome_of(&self, error: &Error) -> Outcome {
        if halfopen::rejection(error).is_some() {
            return Outcome::Ignored;
        }
        match error {
            Error::Database(error) => self.outcome_of_database(&**error),
            Error::PoolTimedOut
            | Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::WorkerCrashed
            | Error::BeginFailed => Outcome::Failure,
            Error::PoolClosed | Error::Configuration(_) | Error::InvalidArgument(_) => Outcome::Ignored,
            // The answer came. The variants of the client are not exhaustive.
            _ => Outcome::Success,
        }
    }

    fn outcome_of_database(&self, error: &dyn DatabaseError) -> Outcome {
        Code::of(error).map_or(Outcome::Success, |code| self.outcome_of_code(&code))
    }

    fn outcome_of_code(&self, code: &Code<'_>) -> Outcome {
        let changed = self.changes.as_ref().and_then(|changes| changes.outcome_of(code));
        changed.unwrap_or_else(|| code.outcome())
    }
}

impl Changes {
    fn outcome_of(&self, code: &Code<'_>) -> Option<Outcome> {
        match code {
            Code::SqlState(state) => {
                let class = state.get(..2).and_then(|class| find(&self.postgres, |known| known == class));
                find(&self.postgres, |known| known == state).or(class)
            }
            Code::MySql { number, .. } => find(&self.mysql, |known| known == number),
            Code::Sqlite(code) => find(&self.sqlite, |known| known == code)
                .or_else(|| find(&self.sqlite, |known| *known == codes::primary(*code))),
        }
    }
}

fn set<K: PartialEq>(changes: &mut Vec<(K, Outcome)>, key: K, outcome: Outcome) {
    changes.retain(|(known, _)| *known != key);
    changes.push((key, outcome));
}

fn find<K>(changes: &[(K, Outcome)], is: impl Fn(&K) -> bool) -> Option<Outcome> {
    changes.iter().find(|(known, _)| is(known)).map(|(_, outcome)| *outcome)
}

impl<T> Classify<T, Error> for SqlxClassify {
    #[inline]
    fn classify(&self, result: &sqlx::Result<T>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) => self.outcome_of(error),
        }
    }

    /// The code of a server's error, without its text: it may contain values of rows.
    fn describe(&self, result: &sqlx::Result<T>) -> Option<String> {
        let error = result.as_ref().err()?;
        let code = error.as_database_error().map(|error| Code::of(error).map(|code| code.to_string()));
        Some(code.map_or_else(
            || error.to_string(),
            |code| code.unwrap_or_else(|| "an error without a code".to_owned()),
        ))
    }
}

#[cfg(test)]
mod tests;
