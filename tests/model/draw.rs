//! The proptest strategies. Numbers are small and share few values, so that edges are hit exactly and not only
//! passed.

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::sample::select;

use crate::history::{Build, History, Step};
use crate::reference::{Abandoned, Finish, Growth, HalfOpen, Nanos, Rule, Settings, Verdict, Window};

const MS: Nanos = 1_000_000;

/// Includes thresholds that floating point gets wrong (S8).
const RATES: [f64; 8] = [0.1, 0.28, 1.0 / 3.0, 0.5, 0.55, 2.0 / 3.0, 0.75, 1.0];

pub(crate) fn history(most_steps: usize) -> impl Strategy<Value = History> {
    (settings(), weighted(0.3), weighted(0.4), vec(step(), 1..=most_steps)).prop_map(
        |(settings, custom, watched, steps)| {
            History { build: Build { settings, custom, watched }, steps }.made_whole()
        },
    )
}

/// Long visits to Closed: wide windows that fill and slide, mostly healthy calls, rules that rarely fire, and
/// new configurations while there are samples.
pub(crate) fn busy_history(most_steps: usize) -> impl Strategy<Value = History> {
    (busy_settings(), weighted(0.1), weighted(0.2), vec(busy_step(), 1..=most_steps)).prop_map(
        |(settings, custom, watched, steps)| {
            History { build: Build { settings, custom, watched }, steps }.made_whole()
        },
    )
}

fn busy_settings() -> impl Strategy<Value = Settings> {
    let window = prop_oneof![
        3 => select(vec![7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 100]).prop_map(Window::LastCalls),
        3 => (select(vec![MS, 2 * MS, 5 * MS]), select(vec![1, 2, 3, 10, 60])).prop_map(|(bucket, buckets)| Window::Last { bucket, buckets }),
        1 => select(vec![5 * MS, 10 * MS]).prop_map(Window::Tumbling),
        1 => Just(Window::Unbounded),
    ];
    let rate = (select(vec![0.5, 2.0 / 3.0, 0.75, 1.0]), option::weighted(0.8, select(vec![1, 5, 20, 60])));
    let rules = vec(rate.prop_map(|(threshold, minimum)| Rule::FailureRate { threshold, minimum }), 0..3);
    (settings(), window, rules, weighted(0.3)).prop_map(|(settings, window, rules, plain)| {
        let abandoned = if plain { settings.abandoned } else { Abandoned::Ignore };
        let time_calls = plain && settings.time_calls;
        Settings { window, rules, abandoned, time_calls, ..settings }.fitted()
    })
}

fn busy_step() -> impl Strategy<Value = Step> {
    let finish = prop_oneof![
        14 => Just(Finish::Success),
        3 => Just(Finish::Failure),
        1 => Just(Finish::Dropped),
        1 => length().prop_map(Finish::SuccessAfter),
    ];
    prop_oneof![
        12 => (1..40_u32, finish.clone()).prop_map(|(times, finish)| Step::Calls(times, finish)),
        3 => Just(Step::Acquire),
        3 => (0..8_usize, finish).prop_map(|(place, finish)| Step::Finish(place, finish)),
        8 => length().prop_map(Step::Advance),
        1 => length().prop_map(Step::Back),
        3 => Just(Step::ToInstant(0)),
        1 => overrides(),
        2 => (busy_settings(), weighted(0.7)).prop_map(|(settings, keeps)| Step::SetConfig(Box::new(settings), keeps)),
    ]
}

impl History {
    /// The effect of a change of `forget_after` on the time already spent Closed is not specified, so it stays
    /// unchanged. A configuration that keeps the window repeats the previous one, which random values would
    /// rarely do.
    fn made_whole(mut self) -> Self {
        let Settings { forget_after, mut window, .. } = self.build.settings;
        for step in &mut self.steps {
            if let Step::SetConfig(settings, keeps_window) = step {
                settings.forget_after = forget_after;
                window = if *keeps_window { window } else { settings.window };
                settings.window = window;
                **settings = settings.clone().fitted();
            }
        }
        if self.files_calls() {
            // An overdue call stays overdue when the clock steps back, which the model does not track.
            for step in &mut self.steps {
                if let Step::Back(by) = *step {
                    *step = Step::Advance(by);
                }
            }
        }
        self
    }

    /// Whether calls in flight count at any time.
    fn files_calls(&self) -> bool {
        let later = self.steps.iter().filter_map(|step| match step {
            Step::SetConfig(settings, _) => Some(&**settings),
            _ => None,
        });
        later.chain([&self.build.settings]).any(|settings| settings.overdue_after().is_some())
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        22 => Just(Step::Acquire),
        22 => (0..8_usize, finish()).prop_map(|(place, finish)| Step::Finish(place, finish)),
        14 => (1..8_u32, finish()).prop_map(|(times, finish)| Step::Calls(times, finish)),
        14 => length().prop_map(Step::Advance),
        2 => length().prop_map(Step::Back),
        14 => select(vec![-1, 0, 0, 0, 1]).prop_map(Step::ToInstant),
        1 => Just(Step::Trip),
        1 => length().prop_map(Step::OpenFor),
        2 => overrides(),
        2 => (settings(), weighted(0.5)).prop_map(|(settings, keeps)| Step::SetConfig(Box::new(settings), keeps)),
        1 => Just(Step::CountRejection),
    ]
}

/// An override lasts until it is lifted, so the steps that lift one are as likely as those that set one.
fn overrides() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::ForceOpen),
        1 => Just(Step::Disable),
        2 => Just(Step::MetricsOnly),
        3 => Just(Step::ForceClosed),
        3 => Just(Step::Reset),
        1 => Just(Step::SetEnabled(false)),
        2 => Just(Step::SetEnabled(true)),
    ]
}

fn finish() -> impl Strategy<Value = Finish> {
    prop_oneof![
        8 => Just(Finish::Success),
        8 => Just(Finish::Failure),
        1 => Just(Finish::Ignored),
        2 => Just(Finish::Dropped),
        1 => length().prop_map(Finish::FailureWithHint),
        1 => option::of(length()).prop_map(Finish::Throttled),
        4 => length().prop_map(Finish::SuccessAfter),
        3 => length().prop_map(Finish::FailureAfter),
        1 => length().prop_map(Finish::IgnoredAfter),
    ]
}

/// Zero, one nanosecond, and multiples of the lengths of buckets, waits and limits, approached from both sides.
fn length() -> impl Strategy<Value = Nanos> {
    prop_oneof![
        1 => Just(0),
        1 => Just(1),
        8 => select(vec![MS, 2 * MS, 3 * MS, 5 * MS, 10 * MS]),
        1 => select(vec![MS - 1, MS + 1, 2 * MS - 1, 5 * MS - 1, 10 * MS - 1]),
        1 => select(vec![20 * MS, 60 * MS, 1_000 * MS]),
    ]
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let first = (window(), rules(), open_duration(), growth(), option::weighted(0.3, limit()));
    let second = (limit(), half_open(), abandoned(), weighted(0.25));
    (first, second).prop_map(
        |(
            (window, rules, open_duration, (growth, longest, jitter), forget_after),
            (hint_max, half_open, abandoned, time_calls),
        )| {
            Settings {
                rules,
                window,
                open_duration,
                growth,
                longest,
                jitter,
                forget_after,
                hint_max,
                half_open,
                abandoned,
                time_calls,
            }
            .fitted()
        },
    )
}

impl Settings {
    /// S11: a minimum above the size of a count window is a configuration error.
    fn fitted(self) -> Self {
        let rules = self.rules.iter().map(|rule| fitting(*rule, self.window)).collect();
        Settings { rules, ..self }
    }
}

fn fitting(rule: Rule, window: Window) -> Rule {
    let fit = |minimum: Option<u32>| match window {
        Window::LastCalls(size) => minimum.map(|minimum| minimum.min(size)),
        Window::Last { .. } | Window::Tumbling(_) | Window::Unbounded => minimum,
    };
    match rule {
        Rule::FailureRate { threshold, minimum } => Rule::FailureRate { threshold, minimum: fit(minimum) },
        Rule::SlowRate { threshold, slow_after, minimum, in_flight } => {
            Rule::SlowRate { threshold, slow_after, minimum: fit(minimum), in_flight }
        }
        Rule::Consecutive(_) | Rule::FailureCount(_) => rule,
    }
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        3 => (1..12_u32).prop_map(Window::LastCalls),
        4 => (select(vec![MS, 2 * MS, 5 * MS]), 1..7_u32).prop_map(|(bucket, buckets)| Window::Last { bucket, buckets }),
        2 => select(vec![2 * MS, 5 * MS, 10 * MS]).prop_map(Window::Tumbling),
        1 => Just(Window::Unbounded),
    ]
}

/// Any number of rules, but at most one slow-call rule: there is a single count of slow calls.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let minimum = || option::weighted(0.8, 1..10_u32);
    let plain = prop_oneof![
        2 => (1..6_u32).prop_map(Rule::Consecutive),
        2 => (1..8_u32).prop_map(Rule::FailureCount),
        4 => (select(RATES.to_vec()), minimum()).prop_map(|(threshold, minimum)| Rule::FailureRate { threshold, minimum }),
    ];
    let slow = (select(RATES.to_vec()), limit(), minimum(), weighted(0.5)).prop_map(
        |(threshold, slow_after, minimum, in_flight)| Rule::SlowRate {
            threshold,
            slow_after,
            minimum,
            in_flight,
        },
    );
    (vec(plain, 0..4), option::weighted(0.5, slow)).prop_map(|(mut rules, slow)| {
        rules.extend(slow);
        rules
    })
}

fn open_duration() -> impl Strategy<Value = Nanos> {
    prop_oneof![1 => Just(0), 8 => select(vec![MS, 2 * MS, 5 * MS, 10 * MS])]
}

/// Powers that are whole numbers of nanoseconds: the comparison is about the rule and not the rounding.
/// Includes the limit of the waits, and their jitter.
fn growth() -> impl Strategy<Value = (Growth, Option<Nanos>, f64)> {
    let exponential = (select(vec![1.0, 2.0, 3.0]), select(vec![10 * MS, 20 * MS, 100 * MS]))
        .prop_map(|(multiplier, longest)| (Growth::Exponential(multiplier), Some(longest)));
    let growth = prop_oneof![
        2 => option::weighted(0.3, limit()).prop_map(|longest| (Growth::None, longest)),
        1 => Just((Growth::Exponential(1.5), Some(10 * MS))),
        2 => exponential,
        // Without a limit of its own, which takes seventeen openings to reach.
        1 => Just((Growth::Exponential(2.0), None)),
        2 => (vec(limit(), 1..4), option::weighted(0.3, limit()))
            .prop_map(|(delays, longest)| (Growth::Delays(delays), longest)),
    ];
    (growth, option::weighted(0.3, select(vec![0.1, 1.0 / 3.0, 0.999])))
        .prop_map(|((growth, longest), jitter)| (growth, longest, jitter.unwrap_or(0.0)))
}

fn half_open() -> impl Strategy<Value = HalfOpen> {
    let count = (1..5_u32, 0..4_u32)
        .prop_map(|(success_threshold, max_failures)| Verdict::Count { success_threshold, max_failures });
    let verdict = prop_oneof![3 => count, 2 => select(RATES.to_vec()).prop_map(Verdict::Rate)];
    let ramp = option::weighted(0.4, select(vec![1, 3, MS, 5 * MS, 10 * MS, 60 * MS]));
    (1..5_u32, verdict, limit(), ramp).prop_map(|(max_calls, verdict, probe_timeout, ramp)| HalfOpen {
        max_calls,
        verdict,
        probe_timeout,
        ramp: ramp.unwrap_or(0),
    })
}

fn abandoned() -> impl Strategy<Value = Abandoned> {
    prop_oneof![
        2 => Just(Abandoned::Ignore),
        1 => Just(Abandoned::Failure),
        2 => limit().prop_map(Abandoned::FailureAfter),
    ]
}

/// Every duration that must be greater than zero.
fn limit() -> impl Strategy<Value = Nanos> {
    select(vec![MS, 2 * MS, 3 * MS, 5 * MS, 10 * MS, 20 * MS])
}
