use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SLACK: Duration = Duration::from_millis(250);
const LEASE: Duration = Duration::from_secs(5);

const STATES: [State; 6] =
    [State::Closed, State::Open, State::HalfOpen, State::ForcedOpen, State::Disabled, State::MetricsOnly];
const ROLES: [Role; 3] = [Role::Free, Role::Held { opening: 7 }, Role::Prober { opening: 7 }];

fn local(state: State, wait: Duration) -> Local {
    Local { state, wait, opening: 7 }
}

fn heard(role: Role) -> Heard {
    Heard { epoch: 3, role }
}

fn answer(phase: Phase) -> Answer {
    Answer { epoch: 3, phase }
}

fn open(lease: Duration) -> Answer {
    answer(Phase::Open { lease })
}

#[test]
fn no_breaker_stays_open_beyond_lease_and_own_wait() {
    for (state, role) in STATES.iter().flat_map(|state| ROLES.map(|role| (*state, role))) {
        for wait in [Duration::ZERO, SECOND, LEASE, 10 * SECOND] {
            for phase in [Phase::Open { lease: LEASE }, Phase::Probing { lease: LEASE }] {
                if let Action::OpenFor(time) = act(local(state, wait), heard(role), answer(phase), SLACK) {
                    assert!(time <= LEASE, "{state} {role:?} for {time:?}");
                    assert!(
                        time > wait || state != State::Open,
                        "{state} {role:?}: a wait is never shortened"
                    );
                }
            }
        }
    }
}

#[test]
fn closed_and_half_open_breakers_open_for_the_lease() {
    assert_eq!(
        act(local(State::Closed, Duration::ZERO), heard(Role::Free), open(LEASE), SLACK),
        Action::OpenFor(LEASE)
    );
    let after_its_probe = heard(Role::Prober { opening: 7 });
    let half_open = local(State::HalfOpen, Duration::ZERO);
    let probing = answer(Phase::Probing { lease: LEASE });
    assert_eq!(
        act(half_open, after_its_probe, probing, SLACK),
        Action::OpenFor(LEASE),
        "another node probes now"
    );
}

#[test]
fn an_open_breaker_is_not_extended_by_noise() {
    let act = |wait| act(local(State::Open, wait), heard(Role::Held { opening: 7 }), open(LEASE), SLACK);
    assert_eq!(act(SECOND), Action::OpenFor(LEASE));
    assert_eq!(act(LEASE - SLACK), Action::Leave);
    assert_eq!(act(LEASE), Action::Leave);
    assert_eq!(act(10 * SECOND), Action::Leave);
}

#[test]
fn an_operators_word_stands() {
    for state in [State::ForcedOpen, State::Disabled, State::MetricsOnly] {
        for phase in [
            Phase::Closed,
            Phase::Open { lease: LEASE },
            Phase::Probing { lease: LEASE },
            Phase::Prober { lease: LEASE },
            Phase::HalfOpen,
        ] {
            let action =
                act(local(state, Duration::ZERO), heard(Role::Held { opening: 7 }), answer(phase), SLACK);
            assert_eq!(action, Action::Leave, "{state} {phase:?}");
        }
    }
}

#[test]
fn the_end_of_the_fleets_opening_ends_only_its_own() {
    let closed = answer(Phase::Closed);
    let act = |opening| act(local(State::Open, SECOND), heard(Role::Held { opening }), closed, SLACK);
    assert_eq!(act(7), Action::EndWait);
    assert_eq!(act(6), Action::Leave, "its own rules have opened it since");
    let own = super::act(local(State::Open, SECOND), heard(Role::Free), closed, SLACK);
    assert_eq!(own, Action::Leave, "the fleet has not opened it");
}

#[test]
fn a_prober_ends_its_wait_once() {
    let prober = answer(Phase::Prober { lease: LEASE });
    let before = local(State::Open, SECOND);
    assert_eq!(act(before, heard(Role::Held { opening: 7 }), prober, SLACK), Action::EndWait);
    let role =
        hear(heard(Role::Held { opening: 7 }), prober, Action::EndWait, local(State::HalfOpen, SECOND)).role;
    assert_eq!(role, Role::Prober { opening: 7 });
    let failed = Local { opening: 8, ..before };
    assert_eq!(act(failed, heard(role), prober, SLACK), Action::Leave, "its probe has failed");
    assert_eq!(hear(heard(role), prober, Action::Leave, failed).role, role, "which it still has to report");
}

#[test]
fn a_node_reports_what_its_breaker_does() {
    let prober = heard(Role::Prober { opening: 7 });
    assert_eq!(report(local(State::Closed, SECOND), prober, 0, 0), Report::Passed);
    assert_eq!(report(local(State::HalfOpen, SECOND), prober, 1, 0), Report::Probing);
    assert_eq!(report(local(State::HalfOpen, SECOND), prober, 0, 5), Report::Nothing, "it makes no calls");
    assert_eq!(report(local(State::Open, SECOND), prober, 0, 0), Report::Nothing, "not half-open yet");
    let reopened = Local { opening: 8, ..local(State::Open, SECOND) };
    assert_eq!(report(reopened, prober, 1, 0), Report::Failed);
    for role in [Role::Free, Role::Held { opening: 7 }] {
        assert_eq!(report(local(State::Open, SECOND), heard(role), 0, 1), Report::WantsToProbe);
        assert_eq!(report(local(State::Open, SECOND), heard(role), 0, 0), Report::Nothing, "it has no calls");
        assert_eq!(report(local(State::Closed, SECOND), heard(role), 9, 1), Report::Nothing);
    }
}

#[test]
fn a_new_epoch_ends_the_role_of_the_old_one() {
    let old = heard(Role::Prober { opening: 7 });
    let next = Answer { epoch: 4, phase: Phase::Prober { lease: LEASE } };
    assert_eq!(act(local(State::Open, SECOND), old, next, SLACK), Action::EndWait);
    let after = Local { opening: 9, ..local(State::HalfOpen, SECOND) };
    let heard = hear(old, next, Action::EndWait, after);
    assert_eq!(heard, Heard { epoch: 4, role: Role::Prober { opening: 9 } });
}

#[test]
fn the_opening_of_a_failed_probe_is_the_fleets() {
    let failed = Local { opening: 8, ..local(State::Open, 100 * SECOND) };
    let prober = heard(Role::Prober { opening: 7 });
    let again = Answer { epoch: 4, phase: Phase::Open { lease: LEASE } };
    assert_eq!(act(failed, prober, again, SLACK), Action::Leave, "its own wait is longer");
    let heard = hear(prober, again, Action::Leave, failed);
    assert_eq!(heard.role, Role::Held { opening: 8 });
    let closed = Answer { epoch: 5, phase: Phase::Closed };
    assert_eq!(act(failed, heard, closed, SLACK), Action::EndWait, "the next prober has passed for it too");
}
