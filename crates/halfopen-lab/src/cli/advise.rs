//! `halfopen-lab advise`.

use std::error::Error;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use halfopen_lab::{Choice, Credit, Replay, Report, UNKNOWN, candidates, choose, helps};

use super::arguments::Logs;
use super::progress::Progress;

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
        if split == 0 {
            return Err(format!("the logs have {calls} calls, too few to be split").into());
        }
        let [first, second] = self.play(split)?;
        let mut out = io::stdout().lock();
        write_advice(&mut out, &first, &second, self.credit.into())?;
        Ok(out.flush()?)
    }

    fn count(&self) -> Result<u64, Box<dyn Error>> {
        let mut source = self.logs.open()?;
        let mut progress = Progress::new(self.logs.size(), source.bytes_read());
        while source.next_call()?.is_some() {
            progress.call();
        }
        progress.finish();
        let counts = source.counts();
        if counts.broken > 0 {
            let mut error = io::stderr();
            writeln!(error, "{} of {} lines are broken and not used:", counts.broken, counts.lines)?;
            counts.broken_lines.iter().try_for_each(|line| writeln!(error, "  {line}"))?;
        }
        Ok(counts.calls)
    }

    /// Plays both parts with breakers that start closed.
    fn play(&self, split: u64) -> Result<[Report; 2], Box<dyn Error>> {
        let mut source = self.logs.open()?;
        let mut progress = Progress::new(self.logs.size(), source.bytes_read());
        let mut parts: [Replay; 2] = std::array::from_fn(|_| Replay::new(candidates(), self.logs.late.0));
        let mut number: u64 = 0;
        while let Some(call) = source.next_call()? {
            parts[usize::from(number >= split)].push(source.keys(), call);
            number += 1;
            progress.call();
        }
        progress.finish();
        Ok(parts.map(Replay::finish))
    }
}

fn write_advice(out: &mut impl Write, first: &Report, second: &Report, credit: Credit) -> io::Result<()> {
    let settings = first.settings.len();
    writeln!(out, "{settings} settings on the first {} calls:\n", first.log.calls)?;
    let Choice::Setting(chosen) = choose(first, credit) else {
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
    let shown = [Some(chosen), position(first, "default"), position(first, "adaptive")];
    write!(out, "\nOn the calls after them, which did not choose: {}", part(second, &shown))?;
    if !helps(&second.settings[chosen], second, credit) {
        writeln!(out, "\nThere it does not help: wait for a longer log before you use it.")?;
    }
    writeln!(out, "\nA replay does not know:")?;
    UNKNOWN.iter().try_for_each(|line| writeln!(out, "- {line}"))
}

fn position(report: &Report, name: &str) -> Option<usize> {
    report.settings.iter().position(|setting| setting.name == name)
}

/// The report of some of the settings, each once.
fn part(report: &Report, shown: &[Option<usize>]) -> Report {
    let mut places = Vec::new();
    for place in shown.iter().flatten() {
        if !places.contains(place) {
            places.push(*place);
        }
    }
    let settings = places.iter().map(|place| report.settings[*place].clone()).collect();
    Report { settings, ..report.clone() }
}
