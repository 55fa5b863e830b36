use std::time::Duration;

use http::StatusCode;

use crate::random::Dice;
use crate::script::{Health, Scene};

/// The `Retry-After` of a server that refuses, in script seconds.
const STAY_AWAY: u64 = 2;

/// How long a worker takes for one request: four workers answer forty a second.
const WORK: Duration = Duration::from_millis(100);

/// How much longer while the server is slowed: eight a second, less than half of what comes in.
const SLOWED: u32 = 5;

/// What the server does with one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    /// Waits in line for a worker.
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

impl Fate {
    /// Depends on the scene, the moment and the dice only, so that a run can be repeated.
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

fn work(dice: &mut Dice) -> Fate {
    Fate::Work { takes: dice.between(WORK / 2, WORK * 3 / 2) }
}

fn answer(status: StatusCode, after: Duration) -> Fate {
    Fate::Answer { after, status, retry_after: None }
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn the_same_attempt_meets_the_same_fate_whoever_sends_it() {
        let fates = || fates_in(Health::BrownOut);

        assert_eq!(fates(), fates());
    }

    #[test]
    fn a_brown_out_fails_about_three_in_ten_and_answers_slowly() {
        let fates = fates_in(Health::BrownOut);
        let failed = fates.iter().filter(|fate| is_answer(fate, StatusCode::INTERNAL_SERVER_ERROR)).count();
        let slow =
            fates.iter().filter(|fate| matches!(fate, Fate::Answer { after, .. } if *after > millis(500)));

        assert!((250..350).contains(&failed), "{failed} of {}", fates.len());
        assert!(slow.count() > 700);
    }

    #[test]
    fn the_dead_reset_and_the_hanging_say_nothing() {
        assert!(fates_in(Health::Dead).iter().all(|fate| *fate == Fate::Reset));
        assert!(fates_in(Health::Hang).iter().all(|fate| *fate == Fate::Silence));
    }

    #[test]
    fn slowed_workers_fall_behind_the_load() {
        let seconds_of_work = |health| -> f64 {
            let takes = |fate: &Fate| match fate {
                Fate::Work { takes } => takes.as_secs_f64(),
                other => panic!("{other:?} needs no worker"),
            };
            fates_in(health).iter().map(takes).sum::<f64>() / 1_000.0
        };

        assert!((0.09..0.11).contains(&seconds_of_work(Health::Healthy)), "four workers: 40 a second");
        assert!(seconds_of_work(Health::Slowed) > 0.4, "four workers: fewer than 10 a second");
    }

    fn fates_in(health: Health) -> Vec<Fate> {
        let script = Script::of_the_demonstration();
        let scene = script.scenes().iter().find(|scene| scene.health == health).unwrap();
        (0..1_000).map(|request| Fate::of(scene, scene.from, &mut Dice::of_attempt(1, request, 1))).collect()
    }

    fn is_answer(fate: &Fate, expected: StatusCode) -> bool {
        matches!(fate, Fate::Answer { status, .. } if *status == expected)
    }
}
