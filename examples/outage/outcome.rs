use std::time::Duration;

use http::StatusCode;

use crate::random::Dice;
use crate::script::{Health, Scene};

/// The `Retry-After` of a refusing server, in script seconds.
const STAY_AWAY: u64 = 2;

/// The time that a worker takes for a request. Four workers answer forty requests a second.
const WORK: Duration = Duration::from_millis(100);

/// The factor of that time while the server is slow: eight requests a second, less than half of the load.
const SLOWED: u32 = 5;

/// The response of the server to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Waits in a queue for a worker.
    Work {
        takes: Duration,
    },
    Answer {
        after: Duration,
        status: StatusCode,
        retry_after: Option<u64>,
    },
    Reset,
    Silence,
}

impl Outcome {
    /// Depends only on the scene, the time and the random numbers, so that a run can be repeated.
    pub(crate) fn of(scene: &Scene, now: Duration, dice: &mut Dice) -> Self {
        match scene.health {
            Health::Healthy => work(dice),
            Health::Slowed => Self::Work { takes: SLOWED * WORK },
            Health::BrownOut => {
                let status =
                    if dice.chance(0.3) { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
                answer(status, dice.between(millis(300), millis(1_300)))
            }
            Health::Dead => Self::Reset,
            Health::Refusing if dice.chance(0.9) => Self::Answer {
                after: millis(10),
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after: Some(STAY_AWAY),
            },
            Health::Refusing => answer(StatusCode::OK, dice.between(millis(100), millis(400))),
            Health::Hang => Self::Silence,
            Health::Recovering => {
                let sickness = 1.0 - scene.progress(now);
                let failed = dice.chance(0.2 * sickness);
                let status = if failed { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
                answer(status, dice.between(millis(20), millis(40) + millis(200).mul_f64(sickness)))
            }
        }
    }
}

fn work(dice: &mut Dice) -> Outcome {
    Outcome::Work { takes: dice.between(WORK / 2, WORK * 3 / 2) }
}

fn answer(status: StatusCode, after: Duration) -> Outcome {
    Outcome::Answer { after, status, retry_after: None }
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn an_attempt_has_one_outcome_for_every_client() {
        let outcomes = || outcomes_in(Health::BrownOut);

        assert_eq!(outcomes(), outcomes());
    }

    #[test]
    fn a_brown_out_fails_three_in_ten_and_is_slow() {
        let outcomes = outcomes_in(Health::BrownOut);
        let failed =
            outcomes.iter().filter(|outcome| is_answer(outcome, StatusCode::INTERNAL_SERVER_ERROR)).count();
        let slow = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Answer { after, .. } if *after > millis(500)));

        assert!((250..350).contains(&failed), "{failed} of {}", outcomes.len());
        assert!(slow.count() > 700);
    }

    #[test]
    fn a_dead_server_resets_and_a_hanging_one_is_silent() {
        assert!(outcomes_in(Health::Dead).iter().all(|outcome| *outcome == Outcome::Reset));
        assert!(outcomes_in(Health::Hang).iter().all(|outcome| *outcome == Outcome::Silence));
    }

    #[test]
    fn slowed_workers_fall_behind_the_load() {
        let seconds_of_work = |health| -> f64 {
            let takes = |outcome: &Outcome| match outcome {
                Outcome::Work { takes } => takes.as_secs_f64(),
                other => panic!("{other:?} needs no worker"),
            };
            outcomes_in(health).iter().map(takes).sum::<f64>() / 1_000.0
        };

        assert!((0.09..0.11).contains(&seconds_of_work(Health::Healthy)), "four workers: 40 a second");
        assert!(seconds_of_work(Health::Slowed) > 0.4, "four workers: fewer than 10 a second");
    }

    fn outcomes_in(health: Health) -> Vec<Outcome> {
        let script = Script::of_the_demonstration();
        let scene = script.scenes().iter().find(|scene| scene.health == health).unwrap();
        (0..1_000)
            .map(|request| Outcome::of(scene, scene.from, &mut Dice::of_attempt(1, request, 1)))
            .collect()
    }

    fn is_answer(outcome: &Outcome, expected: StatusCode) -> bool {
        matches!(outcome, Outcome::Answer { status, .. } if *status == expected)
    }
}
