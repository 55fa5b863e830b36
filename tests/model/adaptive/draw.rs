//! The strategies: traffic that teaches the breaker, incidents of many kinds, and an operator.

use halfopen::{Ended, State};
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use simulator::reference::SlowLimit;

use super::model::Finish;
use super::world::{Chosen, Step, UNIT, World};

#[derive(Clone, Debug)]
pub(super) struct History {
    chosen: Chosen,
    seed: u64,
    steps: Vec<Step>,
}

/// The default numbers.
pub(super) const PLAIN: Chosen = Chosen {
    break_even: 0.5,
    slow: SlowLimit::Learned(3.0),
    max_probe_gap: 30.0,
    false_trip_interval: 604_800.0,
};

impl History {
    /// With the default numbers.
    pub(super) fn of(steps: Vec<Step>) -> History {
        History { chosen: PLAIN, seed: 0, steps }
    }

    /// Plays it with both, and returns the steps that were made.
    pub(super) fn play(&self) -> Result<World, String> {
        let mut world = World::new(self.chosen, self.seed);
        for (number, step) in self.steps.iter().enumerate() {
            world.take(step).map_err(|why| format!("step {number}, {step:?}: {why}"))?;
        }
        Ok(world)
    }
}

pub(super) fn history(most: usize) -> impl Strategy<Value = History> {
    (chosen(), any::<u64>(), weighted(0.7), vec(step(), 1..=most)).prop_map(
        |(chosen, seed, learned, mut steps)| {
            if learned {
                let finish = Finish { took: Some(50 * UNIT + BETWEEN), ..plain(Ended::Success) };
                steps.insert(0, Step::Calls { times: 80, took: 50, gap: 800, finish });
            }
            History { chosen, seed, steps }
        },
    )
}

fn chosen() -> impl Strategy<Value = Chosen> {
    let slow = prop_oneof![
        4 => Just(SlowLimit::Learned(3.0)),
        1 => Just(SlowLimit::Learned(1.5)),
        1 => Just(SlowLimit::Off),
        2 => Just(SlowLimit::Fixed(0.25)),
    ];
    let numbers = (select(vec![0.5, 0.2, 0.8]), select(vec![30.0, 2.0]), select(vec![604_800.0, 3_600.0]));
    (slow, numbers).prop_map(|(slow, (break_even, max_probe_gap, false_trip_interval))| Chosen {
        break_even,
        slow,
        max_probe_gap,
        false_trip_interval,
    })
}

/// Durations are no multiples of the steps of the clock: at the very moment at which a typical latency is over, the
/// rounding of a logarithm would decide.
const BETWEEN: u64 = 333_333;

pub(super) fn plain(how: Ended) -> Finish {
    Finish { how, throttled: false, hint: None, took: None }
}

fn finish() -> impl Strategy<Value = Finish> {
    let how = prop_oneof![
        10 => Just(plain(Ended::Success)),
        8 => Just(plain(Ended::Failure)),
        1 => Just(plain(Ended::Ignored)),
        1 => Just(plain(Ended::Abandoned)),
        3 => option::weighted(0.5, select(vec![100, 2_000, 200_000])).prop_map(|hint| Finish {
            throttled: true,
            hint: hint.map(|units: u64| units * UNIT),
            ..plain(Ended::Failure)
        }),
    ];
    (how, option::weighted(0.3, units())).prop_map(|(finish, took)| Finish {
        took: took.map(|units| units * UNIT + BETWEEN).filter(|_| finish.how != Ended::Abandoned),
        ..finish
    })
}

fn units() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        2 => Just(1),
        6 => select(vec![5, 20, 49, 50, 51, 100]),
        3 => select(vec![300, 700, 1_000]),
        1 => select(vec![3_000, 10_000, 60_000]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => Just(Step::Acquire),
        16 => (0..8_usize, finish()).prop_map(|(place, finish)| Step::Finish(place, finish)),
        24 => (1..25_u32, select(vec![0, 5, 50, 60, 400]), select(vec![0, 1, 20, 200]), finish())
            .prop_map(|(times, took, gap, finish)| {
                let took_exactly = finish.took.or(Some(took * UNIT + BETWEEN));
                let took_exactly = took_exactly.filter(|_| finish.how == Ended::Success);
                Step::Calls { times, took, gap, finish: Finish { took: took_exactly, ..finish } }
            }),
        16 => units().prop_map(Step::Advance),
        1 => select(vec![1, 50, 1_000]).prop_map(Step::Back),
        1 => Just(Step::Trip),
        1 => units().prop_map(Step::OpenFor),
        1 => Just(Step::EndWait),
        2 => override_(),
        1 => (option::weighted(0.8, chosen())).prop_map(Step::SetConfig),
    ]
}

/// The steps that lift an override are as likely as those that set one.
fn override_() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Force(State::ForcedOpen)),
        1 => Just(Step::Force(State::Disabled)),
        2 => Just(Step::Force(State::MetricsOnly)),
        3 => Just(Step::Force(State::Closed)),
        2 => Just(Step::Reset),
        1 => Just(Step::SetEnabled(false)),
        2 => Just(Step::SetEnabled(true)),
    ]
}
