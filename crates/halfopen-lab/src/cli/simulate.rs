//! `halfopen-lab simulate`.

use std::error::Error;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use halfopen_lab::simulate::{Scenario, Scores, Set, UNKNOWN};
use serde::Serialize;

use super::arguments::Settings;

#[derive(Args)]
pub(super) struct Simulate {
    /// Scenarios of the set by their names; all of them if absent.
    scenarios: Vec<String>,
    /// The set of scenarios.
    #[arg(long, value_enum, default_value = "catalogue")]
    set: SetName,
    /// The seeds that each scenario is run with.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// The scenarios of a drawn set.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// The seed of a drawn set.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    settings: Settings,
    /// The breaker of a document; `simulated` if absent.
    #[arg(long, value_name = "NAME", requires = "configs")]
    breaker: Option<String>,
    /// Lists the scenarios instead.
    #[arg(long)]
    list: bool,
    /// Prints the scores as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum SetName {
    /// Scenarios with a name.
    Catalogue,
    /// One incident each, of any kind, at any rate.
    Random,
    /// Incidents like recorded ones: short, partial and repeated.
    Shaped,
}

impl From<SetName> for Set {
    fn from(name: SetName) -> Set {
        match name {
            SetName::Catalogue => Set::Catalogue,
            SetName::Random => Set::Random,
            SetName::Shaped => Set::Shaped,
        }
    }
}

/// The output of `--json`.
#[derive(Serialize)]
struct Json<'a> {
    settings: &'a [String],
    scenarios: usize,
    seeds: u64,
    tables: &'a [Scores],
    unknown: [&'static str; UNKNOWN.len()],
}

impl Simulate {
    pub(super) fn run(&self) -> Result<(), Box<dyn Error>> {
        let set: Set = self.set.into();
        let scenarios = self.chosen(set)?;
        let mut out = io::stdout().lock();
        if self.list {
            for scenario in &scenarios {
                writeln!(out, "{:<16} {}", scenario.name, scenario.kind)?;
            }
            return Ok(out.flush()?);
        }
        let settings = self.settings.load()?;
        let names: Vec<_> = settings.iter().map(|setting| setting.name().to_owned()).collect();
        let seeds: Vec<u64> = (1..=self.seeds).collect();
        let tables =
            set.scores_of(&scenarios, &seeds, &settings, self.breaker.as_deref().unwrap_or("simulated"));
        if self.json {
            let json = Json {
                settings: &names,
                scenarios: scenarios.len(),
                seeds: self.seeds,
                tables: &tables,
                unknown: UNKNOWN,
            };
            serde_json::to_writer_pretty(&mut out, &json).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            let times = if self.seeds == 1 { "once".to_owned() } else { format!("{} times", self.seeds) };
            writeln!(out, "{} scenarios, {times} each", scenarios.len())?;
            tables.iter().try_for_each(|table| write_table(&mut out, table, &names))?;
            write_meaning(&mut out)?;
        }
        Ok(out.flush()?)
    }

    fn chosen(&self, set: Set) -> Result<Vec<Scenario>, String> {
        let mut all = set.scenarios(self.count as usize, self.seed);
        for name in &self.scenarios {
            if !all.iter().any(|scenario| scenario.name == *name) {
                return Err(format!("`{name}` is no scenario of this set, see --list"));
            }
        }
        if !self.scenarios.is_empty() {
            all.retain(|scenario| self.scenarios.contains(&scenario.name));
        }
        Ok(all)
    }
}

fn write_table(out: &mut impl Write, table: &Scores, settings: &[String]) -> io::Result<()> {
    let first = table.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = settings.iter().map(|name| name.chars().count().max(6)).collect();
    writeln!(out, "\n{}.\n", table.title)?;
    write!(out, "{:<first$}", "")?;
    settings.iter().zip(&widths).try_for_each(|(name, width)| write!(out, "  {name:>width$}"))?;
    for (name, figures) in &table.rows {
        write!(out, "\n{name:<first$}")?;
        figures.iter().zip(&widths).try_for_each(|(figure, width)| write!(out, "  {figure:>width$.2}"))?;
    }
    writeln!(out)
}

fn write_meaning(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\nA score is the part of the avoidable loss that a setting avoids: 0 is calling always, and 1 is a caller that \
         knows the\nstate of the service. Where nothing is to be gained, 1 is no loss, and 0 the loss of 2 % of the calls."
    )?;
    writeln!(out, "\nA simulation does not know:")?;
    UNKNOWN.iter().try_for_each(|line| writeln!(out, "- {line}"))
}
