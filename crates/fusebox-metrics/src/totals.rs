use fusebox::Totals;

use crate::names;

/// One of a breaker's lifetime totals, and the counter it becomes.
pub(crate) struct Total {
    pub(crate) name: &'static str,
    pub(crate) outcome: Option<&'static str>,
    read: fn(&Totals) -> u64,
}

/// The value of each of [`TOTALS`].
pub(crate) type Sums = [u64; TOTALS.len()];

pub(crate) const TOTALS: [Total; 9] = [
    Total::of_calls("success", |totals| totals.successes),
    Total::of_calls("failure", |totals| totals.failures),
    Total::of_calls("ignored", |totals| totals.ignored),
    Total::of_calls("abandoned", |totals| totals.abandoned),
    Total::of_calls("late", |totals| totals.late),
    Total::of_calls("rejected", |totals| totals.rejected),
    Total::plain(names::SLOW_CALLS, |totals| totals.slow),
    Total::plain(names::WOULD_TRIP, |totals| totals.would_trip),
    Total::plain(names::PANICS, |totals| totals.panics),
];

impl Total {
    const fn of_calls(outcome: &'static str, read: fn(&Totals) -> u64) -> Total {
        Total { name: names::CALLS, outcome: Some(outcome), read }
    }

    const fn plain(name: &'static str, read: fn(&Totals) -> u64) -> Total {
        Total { name, outcome: None, read }
    }
}

pub(crate) fn sums(totals: &Totals) -> Sums {
    std::array::from_fn(|place| (TOTALS[place].read)(totals))
}

pub(crate) fn added(a: &Sums, b: &Sums) -> Sums {
    std::array::from_fn(|place| a[place].saturating_add(b[place]))
}
