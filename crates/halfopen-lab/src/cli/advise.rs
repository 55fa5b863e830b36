//! `halfopen-lab advise`.

use std::error::Error;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use halfopen_lab::{Choice, Credit, Replay, Report, Setting, UNKNOWN, candidates, choose, helps};

use super::arguments::Logs;

/// The calls of each part: fewer are one incident at most, and no reason for a choice.
const LEAST_CALLS: u64 = 100;

#[derive(Args)]
pub(super) struct Advise {
    #[command(flatten)]
    logs: Logs,
    /// The share of the calls, in percent, that choose; the others judge the choice.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(10..=90))]
    first: u8,
    /// Whether late answers count as good calls in the choice.
    #[arg(long, value_enum, default_value = "without")]
    credit: CreditName,
}

#[derive(Clone, Copy, ValueEnum)]
enum CreditName {
    /// Late answers are as bad as failures.
    Without,
    /// Late answers are as good as others.
    With,
}

impl From<CreditName> for Credit {
    fn from(name: CreditName) -> Credit {
        match name {
            CreditName::Without => Credit::InTime,
            CreditName::With => Credit::LateToo,
        }
    }
}

impl Advise {
    pub(super) fn run(&self) -> Result<(), Box<dyn Error>> {
        if self.logs.logs.iter().any(|log| log.as_os_str() == "-") {
            return Err(
                "advise reads its logs twice, and the standard input can be read once: use a file".into()
            );
        }
        let calls = self.count()?;
        let split = calls * u64::from(self.first) / 100;
        if split.min(calls - split) < LEAST_CALLS {
            let first = self.first;
            let problem = format!(
                "the logs have {calls} calls, too few for advice: the first {first} % and the others must be at least \
                 {LEAST_CALLS} each"
            );
            return Err(problem.into());
        }
        let advice = self.play(split)?;
        let mut out = io::stdout().lock();
        write_advice(&mut out, &advice, self.credit.into())?;
        Ok(out.flush()?)
    }

    fn count(&self) -> Result<u64, Box<dyn Error>> {
        let source = self.logs.read(|_, _| {})?;
        let counts = source.counts();
        if counts.broken > 0 {
            let mut error = io::stderr();
            writeln!(error, "{} of {} lines are broken and not used:", counts.broken, counts.lines)?;
            counts.broken_lines.iter().try_for_each(|line| writeln!(error, "  {line}"))?;
        }
        Ok(counts.calls)
    }

    /// Plays the first part with all candidates, and the second with those that its reader compares. The breakers of
    /// both parts start closed.
    fn play(&self, split: u64) -> Result<Advice, Box<dyn Error>> {
        let credit = self.credit.into();
        let play = |settings| Replay::new(settings, self.logs.late.0);
        let mut first = Some(play(candidates()));
        let mut chosen = None;
        let mut number: u64 = 0;
        self.logs.read(|keys, call| {
            if let Some(first) = first.as_mut().filter(|_| number < split) {
                first.push(keys, call);
            } else {
                let (_, _, second) = chosen.get_or_insert_with(|| {
                    let report = first.take().unwrap_or_else(|| play(candidates())).finish();
                    let choice = choose(&report, credit);
                    let second = play(compared(&report, choice));
                    (report, choice, second)
                });
                second.push(keys, call);
            }
            number += 1;
        })?;
        let (first, choice, second) = chosen.ok_or("the logs became shorter while they were read")?;
        Ok(Advice { first, choice, second: second.finish() })
    }
}

/// The choice by the first part, and the report of the second.
struct Advice {
    first: Report,
    choice: Choice,
    second: Report,
}

/// The settings that the second part is played with: the chosen one beside the presets that most users have, or all
/// if none was chosen, so that one that helps there is noticed.
fn compared(first: &Report, choice: Choice) -> Vec<Setting> {
    let Choice::Setting(chosen) = choice else { return candidates() };
    let chosen = &first.settings[chosen].name;
    let names = [chosen, "default", "adaptive"];
    let mut shown: Vec<_> = candidates().into_iter().filter(|it| names.contains(&it.name())).collect();
    shown.sort_by_key(|setting| setting.name() != chosen);
    shown
}

fn write_advice(out: &mut impl Write, advice: &Advice, credit: Credit) -> io::Result<()> {
    let Advice { first, choice, second } = advice;
    let settings = first.settings.len();
    writeln!(out, "{settings} settings on the first {} calls:\n", first.log.calls)?;
    let Choice::Setting(chosen) = *choice else {
        writeln!(
            out,
            "No breaker helps these calls: no setting avoids enough bad calls for the good ones that it loses."
        )?;
        writeln!(out, "{} of {} calls were bad.", first.log.bad, first.log.calls)?;
        let second_choice = choose(second, credit);
        if let Choice::Setting(better) = second_choice {
            let name = &second.settings[better].name;
            writeln!(
                out,
                "The {} calls after them are of another kind: there `{name}` helps.",
                second.log.calls
            )?;
        }
        return Ok(());
    };
    let best = &first.settings[chosen];
    let compared = best.compared(credit);
    writeln!(out, "Advice: {}", best.name)?;
    writeln!(
        out,
        "Why: of {} bad calls it avoids {}, and loses {} of {} good ones, with {} false trips; no other setting has more \
         bad calls avoided less good calls lost ({:+}).",
        compared.bad,
        compared.bad_avoided,
        compared.good_lost,
        compared.good,
        compared.detected.false_trips,
        compared.gain(),
    )?;
    write!(out, "\nOn the calls after them, which did not choose: {second}")?;
    if !helps(&second.settings[0], second, credit) {
        writeln!(out, "\nThere it does not help: wait for a longer log before you use it.")?;
    }
    writeln!(out, "\nA replay does not know:")?;
    UNKNOWN.iter().try_for_each(|line| writeln!(out, "- {line}"))
}
