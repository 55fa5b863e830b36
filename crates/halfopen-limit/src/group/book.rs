use halfopen::State;

use super::GroupSnapshot;

/// Which members are open, and which are kept from it. Plain data; every change of a member is one call.
#[derive(Debug)]
pub(super) struct Book {
    members: Vec<Member>,
    most: usize,
    held_total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Closed,
    Open,
    /// It would be open, and is in metrics-only.
    Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Hold(usize),
    Release(usize),
}

impl Book {
    pub(super) fn new(states: impl Iterator<Item = State>, most: usize) -> Book {
        let member = |state| if is_open(state) { Member::Open } else { Member::Closed };
        Book { members: states.map(member).collect(), most, held_total: 0 }
    }

    /// Notes that a member has changed, and returns what follows from it.
    pub(super) fn changed(&mut self, place: usize, to: State) -> Vec<Action> {
        let was = self.members[place];
        self.members[place] = match (was, to) {
            (Member::Closed | Member::Held, State::Open) if self.count(Member::Open) >= self.most => {
                Member::Held
            }
            // The hold itself, or a step on the way to it.
            (Member::Held, State::MetricsOnly | State::HalfOpen) => Member::Held,
            (_, state) if is_open(state) => Member::Open,
            _ => Member::Closed,
        };
        match (was, self.members[place], to) {
            (_, Member::Held, State::Open) => {
                self.held_total = self.held_total.saturating_add(1);
                vec![Action::Hold(place)]
            }
            (Member::Open, Member::Closed, _) => self.release(),
            _ => Vec::new(),
        }
    }

    /// Releases as many as may be open now, the first ones first: they are closed, and may open again.
    fn release(&mut self) -> Vec<Action> {
        let room = self.most.saturating_sub(self.count(Member::Open));
        let held = (0..self.members.len()).filter(|place| self.members[*place] == Member::Held);
        let released: Vec<usize> = held.take(room).collect();
        released.iter().for_each(|place| self.members[*place] = Member::Closed);
        released.into_iter().map(Action::Release).collect()
    }

    /// Ends every hold, and returns the members that were held.
    pub(super) fn dissolve(&mut self) -> Vec<usize> {
        self.most = self.members.len();
        let held = (0..self.members.len()).filter(|place| self.members[*place] == Member::Held).collect();
        self.members
            .iter_mut()
            .filter(|member| **member == Member::Held)
            .for_each(|member| *member = Member::Closed);
        held
    }

    pub(super) fn snapshot(&self) -> GroupSnapshot {
        GroupSnapshot {
            members: self.members.len(),
            max_open: self.most,
            open: self.count(Member::Open),
            held: self.count(Member::Held),
            held_total: self.held_total,
        }
    }

    fn count(&self, kind: Member) -> usize {
        self.members.iter().filter(|member| **member == kind).count()
    }
}

fn is_open(state: State) -> bool {
    matches!(state, State::Open | State::HalfOpen | State::ForcedOpen)
}
