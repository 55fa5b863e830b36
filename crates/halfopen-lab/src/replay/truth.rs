//! The incidents of a log, with hindsight.

use crate::call::Nanos;

/// The calls on each side of a call that decide whether it is part of an incident.
const SIDE: usize = 10;
const ALL: usize = 2 * SIDE + 1;

/// Whether late answers count as good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// A late answer is as bad as a failure.
    InTime,
    /// A late answer is as good as any other.
    LateToo,
}

impl Credit {
    /// Both.
    pub const ALL: [Credit; 2] = [Credit::InTime, Credit::LateToo];
}

/// The worth of a logged call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It succeeded in time.
    Good,
    /// It succeeded late.
    Late,
    /// It failed.
    Bad,
    /// It was abandoned or ignored.
    Unknown,
}

impl Worth {
    /// Returns whether the call was not worth making.
    pub fn is_bad(self, credit: Credit) -> bool {
        match (self, credit) {
            (Worth::Bad, _) | (Worth::Late, Credit::InTime) => true,
            (Worth::Good | Worth::Unknown, _) | (Worth::Late, Credit::LateToo) => false,
        }
    }
}

/// A judgment about a call from [`SIDE`] calls ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// The start of the call.
    pub(crate) at: Nanos,
    /// For each [`Credit`], whether an incident begins or ends with it.
    pub(crate) changes: [Option<IncidentEdge>; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncidentEdge {
    Begins,
    Ends,
}

/// The last calls of a breaker, and whether they are in an incident. An incident begins with a call around which more
/// than half of 21 calls are bad, and ends with one around which no more than a third are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    starts: [Nanos; ALL],
    /// A bit for each of the last calls, the newest lowest: bad, for each credit.
    bad: [u32; 2],
    /// The calls so far.
    calls: u64,
    is_incident: [bool; 2],
}

impl Truth {
    /// Adds a call; returns the judgment about an earlier one.
    pub(crate) fn push(&mut self, at: Nanos, worth: Worth) -> Option<Judged> {
        self.starts[(self.calls % ALL as u64) as usize] = at;
        self.calls += 1;
        for (bad, credit) in self.bad.iter_mut().zip(Credit::ALL) {
            *bad = (*bad << 1 | u32::from(worth.is_bad(credit))) & ((1 << ALL) - 1);
        }
        (self.calls > SIDE as u64).then(|| self.judge(SIDE, 0))
    }

    /// Returns the judgments about the last calls, around which there are fewer.
    pub(crate) fn finish(mut self) -> impl Iterator<Item = Judged> {
        let left = self.calls.min(SIDE as u64) as usize;
        (0..left).rev().map(move |ago| self.judge(ago, SIDE - ago))
    }

    /// Judges the call so many calls ago, without the oldest of the known calls.
    fn judge(&mut self, ago: usize, too_old: usize) -> Judged {
        let known = self.calls.min((ALL - too_old) as u64) as u32;
        let mask = (1u32 << known) - 1;
        let changes = std::array::from_fn(|credit| {
            let bad = (self.bad[credit] & mask).count_ones();
            let edge = match self.is_incident[credit] {
                false if 2 * bad > known && bad >= 3 => Some(IncidentEdge::Begins),
                true if 3 * bad <= known => Some(IncidentEdge::Ends),
                false | true => None,
            };
            self.is_incident[credit] ^= edge.is_some();
            edge
        });
        let index = (self.calls - 1 - ago as u64) % ALL as u64;
        Judged { at: self.starts[index as usize], changes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges of calls one second apart, with late answers being bad.
    fn edges(worths: impl IntoIterator<Item = Worth>) -> Vec<(Nanos, IncidentEdge)> {
        let mut truth = Truth::default();
        let mut all = Vec::new();
        let mut note = |judged: Judged| all.extend(judged.changes[0].map(|edge| (judged.at, edge)));
        for (at, worth) in worths.into_iter().enumerate() {
            truth.push(at as Nanos, worth).into_iter().for_each(&mut note);
        }
        truth.finish().for_each(note);
        all
    }

    fn run(worths: &[(usize, Worth)]) -> Vec<(Nanos, IncidentEdge)> {
        edges(worths.iter().flat_map(|(count, worth)| std::iter::repeat_n(*worth, *count)))
    }

    #[test]
    fn an_outage_begins_with_its_first_call() {
        let found = run(&[(50, Worth::Good), (40, Worth::Bad), (50, Worth::Good)]);
        assert_eq!(found, [(50, IncidentEdge::Begins), (93, IncidentEdge::Ends)]);
    }

    #[test]
    fn an_outage_at_either_end_of_a_log_counts() {
        assert_eq!(run(&[(30, Worth::Late)]), [(0, IncidentEdge::Begins)]);
        assert_eq!(run(&[(50, Worth::Good), (8, Worth::Bad)]), [(53, IncidentEdge::Begins)]);
    }

    #[test]
    fn noise_is_no_incident() {
        let noise = (0..1_000).map(|call| if call % 3 == 0 { Worth::Bad } else { Worth::Good });
        assert_eq!(edges(noise), []);
        assert_eq!(run(&[(30, Worth::Good), (10, Worth::Bad), (30, Worth::Good)]), []);
    }

    #[test]
    fn late_answers_are_bad_without_credit_only() {
        assert!(Worth::Late.is_bad(Credit::InTime));
        assert!(!Worth::Late.is_bad(Credit::LateToo));
    }
}
