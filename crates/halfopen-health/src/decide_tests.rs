use proptest::prelude::*;

use super::*;

const LONGEST: Duration = Duration::from_secs(18);
const RULES: Rules = Rules { failures: 3, successes: 1, gate_probes: false, longest: LONGEST };
const GATED: Rules = Rules { gate_probes: true, ..RULES };

fn open(opening: u64, rest: u64) -> View {
    View { state: State::Open, rest: Duration::from_secs(rest), opening, ..View::ABSENT }
}

fn by_hand(view: View) -> View {
    View { by_hand: true, ..view }
}

/// The streak after these results of checks that began in the current opening.
fn after(results: &[bool], view: View, rules: &Rules) -> Streak {
    results.iter().fold(Streak::default(), |all, &passed| all.record(passed, view.opening, view, rules))
}

#[test]
fn a_run_of_failed_checks_opens() {
    let closed = View::ABSENT;
    assert_eq!(after(&[false, false], closed, &RULES).decide(closed, &RULES), Action::Leave);
    let unhealthy = after(&[false, false, false], closed, &RULES);
    assert_eq!(unhealthy.decide(closed, &RULES), Action::OpenFor(LONGEST * 3));
    assert_eq!(after(&[false, true, false, false], closed, &RULES).decide(closed, &RULES), Action::Leave);
}

#[test]
fn an_opening_is_renewed_before_its_end() {
    let unhealthy = after(&[false; 3], open(1, 60), &RULES);
    assert_eq!(unhealthy.decide(open(1, 18), &RULES), Action::Leave);
    assert_eq!(unhealthy.decide(open(1, 17), &RULES), Action::OpenFor(LONGEST * 3));
}

#[test]
fn a_passed_check_ends_the_wait_it_has_seen() {
    let view = open(7, 60);
    assert_eq!(after(&[true], view, &RULES).decide(view, &RULES), Action::EndWait);
    let older = Streak::default().record(true, 6, view, &RULES);
    assert_eq!(older.decide(view, &RULES), Action::Leave, "the check began before the opening");
}

#[test]
fn a_check_that_sees_no_outage_keeps_the_backoff() {
    let reopened = View { reopenings: 2, ..open(7, 60) };
    assert_eq!(after(&[true; 3], reopened, &RULES).decide(reopened, &RULES), Action::Leave);
    assert_eq!(after(&[true; 4], reopened, &RULES).decide(reopened, &RULES), Action::EndWait);
    let seen = after(&[false, true], reopened, &RULES);
    assert_eq!(seen.decide(reopened, &RULES), Action::EndWait, "the check has failed in this outage");
}

#[test]
fn a_wait_that_an_operator_has_set_stays() {
    let view = by_hand(open(7, 60));
    assert_eq!(after(&[true; 9], view, &RULES).decide(view, &RULES), Action::Leave);
    let ours = after(&[false; 3], View::ABSENT, &RULES).opened(7).record(true, 7, view, &RULES);
    assert_eq!(ours.decide(view, &RULES), Action::EndWait, "the check itself has set it");
}

#[test]
fn an_opening_by_a_fleet_was_set_by_others() {
    let breaker = halfopen::CircuitBreaker::builder("payments").build();
    halfopen::adapter::open_by_fleet(&breaker, Duration::from_secs(60));
    assert!(View::of(&breaker.snapshot()).by_hand);
}

#[test]
fn a_gate_holds_until_a_check_has_passed() {
    let ending = open(7, 1);
    let healthy = after(&[true; 5], View::ABSENT, &GATED);
    assert_eq!(healthy.seen(ending).decide(ending, &GATED), Action::OpenFor(LONGEST * 3));
    assert_eq!(healthy.record(true, 7, ending, &GATED).decide(ending, &GATED), Action::EndWait);
}

/// One step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A check ends; whether it passed, and whether it began before the last opening.
    Check {
        passed: bool,
        old: bool,
    },
    /// A rule opens the breaker, again or for the first time.
    RuleOpens,
    /// An operator trips it.
    OperatorTrips,
    Closes,
    /// An operator sets an override.
    Forces(State),
    /// Time passes.
    Waits(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let forced = prop_oneof![Just(State::ForcedOpen), Just(State::Disabled), Just(State::MetricsOnly)];
    let step = prop_oneof![
        6 => (any::<bool>(), any::<bool>()).prop_map(|(passed, old)| Step::Check { passed, old }),
        2 => Just(Step::RuleOpens),
        1 => Just(Step::OperatorTrips),
        2 => Just(Step::Closes),
        1 => forced.prop_map(Step::Forces),
        2 => (1..40_u64).prop_map(Step::Waits),
    ];
    prop::collection::vec(step, 1..80)
}

/// The whole history, from which the model derives everything anew at each step.
#[derive(Default)]
struct History {
    results: Vec<bool>,
    /// The results in this outage of checks that began in it.
    outage: Vec<bool>,
    ours: bool,
}

impl History {
    fn run(results: &[bool], passed: bool) -> usize {
        results.iter().rev().take_while(|&&result| result == passed).count()
    }

    fn status(&self, rules: &Rules) -> HealthStatus {
        for end in (1..=self.results.len()).rev() {
            let results = &self.results[..end];
            if History::run(results, true) >= rules.successes as usize {
                return HealthStatus::Healthy;
            }
            if History::run(results, false) >= rules.failures as usize {
                return HealthStatus::Unhealthy;
            }
        }
        HealthStatus::Unknown
    }

    fn action(&self, view: View, rules: &Rules) -> Action {
        let unhealthy = self.status(rules) == HealthStatus::Unhealthy;
        let seen = self.ours || self.outage.contains(&false);
        let factor = if seen { 1 } else { 1 << view.reopenings.min(16) };
        let passed = History::run(&self.outage, true) >= rules.successes as usize * factor && !unhealthy;
        let opens = match view.state {
            State::Closed | State::HalfOpen => unhealthy,
            State::Open => view.rest < rules.longest && (unhealthy || (rules.gate_probes && !passed)),
            _ => false,
        };
        let ends = view.state == State::Open && passed && (self.ours || !view.by_hand);
        match (opens, ends) {
            (true, false) => Action::OpenFor(rules.longest * 3),
            (false, true) => Action::EndWait,
            (false, false) => Action::Leave,
            (true, true) => panic!("both at {view:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streaks_decide_as_the_whole_history(
        steps in steps(),
        failures in 1..4_u32,
        successes in 1..4_u32,
        gate_probes in any::<bool>(),
    ) {
        let rules = Rules { failures, successes, gate_probes, longest: LONGEST };
        let (mut streak, mut history, mut view) = (Streak::default(), History::default(), View::ABSENT);
        for step in steps {
            match step {
                Step::Check { passed, old } => {
                    let began_in = if old { view.opening.wrapping_sub(1) } else { view.opening };
                    streak = streak.record(passed, began_in, view, &rules);
                    history.results.push(passed);
                    if !old {
                        history.outage.push(passed);
                    }
                }
                Step::RuleOpens | Step::OperatorTrips if matches!(view.state, State::Closed | State::HalfOpen) => {
                    let hand = matches!(step, Step::OperatorTrips);
                    let reopenings = view.reopenings + u32::from(view.state == State::HalfOpen);
                    view = View { by_hand: hand, reopenings, ..open(view.opening + 1, 30) };
                    streak = streak.seen(view);
                    history = History { results: history.results, ..History::default() };
                }
                Step::RuleOpens | Step::OperatorTrips => {}
                Step::Closes => view = View { state: State::Closed, rest: Duration::ZERO, reopenings: 0, ..view },
                Step::Forces(state) => view = View { state, rest: Duration::ZERO, ..view },
                Step::Waits(seconds) => {
                    view.rest = view.rest.saturating_sub(Duration::from_secs(seconds));
                    if view.state == State::Open && view.rest.is_zero() {
                        view.state = State::HalfOpen;
                    }
                }
            }
            prop_assert_eq!(streak.status, history.status(&rules));
            let action = streak.decide(view, &rules);
            prop_assert_eq!(action, history.action(view, &rules), "{:?} in {:?}", step, view);
            match action {
                Action::Leave => {}
                Action::OpenFor(lease) => {
                    view = by_hand(View { opening: view.opening + 1, state: State::Open, rest: lease, ..view });
                    streak = streak.opened(view.opening);
                    history.ours = true;
                }
                Action::EndWait => view = View { state: State::HalfOpen, rest: Duration::ZERO, ..view },
            }
        }
    }
}
