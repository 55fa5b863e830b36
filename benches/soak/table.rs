use std::fmt;

use crate::options::Options;
use crate::subject::Subject;

/// The operations of a run, as a table.
pub(crate) struct Table<'a> {
    pub(crate) options: &'a Options,
    pub(crate) subjects: &'a [Subject],
    /// Bytes in use after each round.
    pub(crate) held: &'a [i64],
}

const HEAD: [&str; 13] = [
    "breaker",
    "permits",
    "success",
    "failure",
    "ignored",
    "abandoned",
    "late",
    "rejected",
    "trips",
    "changes",
    "would trip",
    "configs",
    "panics",
];

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.options.length.as_secs();
        writeln!(f, "soak: {seconds} s, 8 threads and 16 tasks, seed {}\n", self.options.seed)?;
        for column in HEAD {
            write!(f, "{column:>16}")?;
        }
        let mut calls = 0;
        for subject in self.subjects {
            let (totals, told) = (subject.breaker.snapshot().totals, subject.witness.told());
            calls += totals.calls() + totals.rejected;
            write!(f, "\n{:>16}", subject.breaker.name())?;
            let numbers = [
                totals.calls(),
                totals.successes,
                totals.failures,
                totals.ignored,
                totals.abandoned,
                totals.late,
                totals.rejected,
                totals.trips,
                told.changes,
                told.would_trips,
                told.configs,
                totals.panics,
            ];
            for number in numbers {
                write!(f, "{number:>16}")?;
            }
        }
        writeln!(f, "\n\n{calls} calls; bytes held after each round: {:?}", self.held)
    }
}
