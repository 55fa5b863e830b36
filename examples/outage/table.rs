use crate::render::{Hue, Palette};
use crate::report::{ChapterReport, ClientReport, OutageReport, Report};

const LABEL: usize = 38;
const FIGURE: usize = 13;

/// The column widths of the table of outages, 77 in total with a space between columns.
const OUTAGE: usize = 15;
const OUTAGE_FIGURES: [usize; 5] = [12, 12, 10, 10, 13];

/// The two clients side by side, each outage, and the meaning of the figures.
///
/// At most 23 lines of at most 79 characters, so that a terminal of 80 x 24 shows all of it.
pub(crate) fn text(report: &Report, palette: Palette) -> String {
    let head = format!("{:LABEL$}{:>FIGURE$}{:>FIGURE$}", title(report), "bare", "protected");
    let mut lines = vec![palette.text(Hue::Bold, &head)];
    lines.extend(
        rows(report)
            .iter()
            .map(|(label, bare, protected)| format!("{label:LABEL$}{bare:>FIGURE$}{protected:>FIGURE$}")),
    );
    if !report.outages.is_empty() {
        lines.push(String::new());
        lines.extend(outages(report, palette));
    }
    lines.extend([String::new(), palette.text(Hue::Bold, &in_short(report))]);
    lines.extend(meanings(report).iter().map(|line| palette.text(Hue::Dim, line)));
    lines.join("\n") + "\n"
}

fn title(report: &Report) -> String {
    let stopped = if report.interrupted { "stopped after" } else { "all" };
    format!("{stopped} {:.0} s of seed {}", report.ran_for_seconds, report.seed)
}

/// The effect of the breaker: its savings and its cost.
fn in_short(report: &Report) -> String {
    let (bare, protected) = (&report.bare, &report.protected);
    let sent = match (bare.sent_to_sick_server, protected.sent_to_sick_server) {
        (Some(bare), Some(protected)) => {
            format!("sent to the sick server {}", change(bare as f64, protected as f64))
        }
        (None, _) | (_, None) => format!("sent {}", change(bare.sent as f64, protected.sent as f64)),
    };
    let waiting = change(bare.caller_seconds_lost, protected.caller_seconds_lost);
    let answered = change(bare.answered as f64, protected.answered as f64);
    format!("With the breaker: answers {answered}, waiting {waiting}, {sent}.")
}

fn change(before: f64, after: f64) -> String {
    if before > 0.0 { format!("{:+.0} %", (after / before - 1.0) * 100.0) } else { "unchanged".to_owned() }
}

fn rows(report: &Report) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    let mut both = |label: &str, figure: &dyn Fn(&ClientReport) -> Option<String>| {
        if let (Some(bare), Some(protected)) = (figure(&report.bare), figure(&report.protected)) {
            rows.push((label.to_owned(), bare, protected));
        }
    };
    let count = |number: u64| Some(number.to_string());
    both("requests of callers", &|client| count(client.requests));
    both("  answered", &|client| count(client.answered));
    both("  failed", &|client| count(client.failed));
    both("  rejected by the breaker", &|client| count(client.rejected));
    if report.bare.unfinished + report.protected.unfinished > 0 {
        both("  still waiting at the end", &|client| count(client.unfinished));
    }
    both("caller-seconds lost waiting", &|client| Some(format!("{:.1} s", client.caller_seconds_lost)));
    both("requests sent, retries included", &|client| count(client.sent));
    both("  to the sick server", &|client| client.sent_to_sick_server.map(|n| n.to_string()));
    rows
}

fn outages(report: &Report, palette: Palette) -> Vec<String> {
    let not_yet = if report.interrupted { "not yet" } else { "never" };
    let over = format!(
        "{:OUTAGE$} {:>25} {:>21} {:>13}",
        "outage, and", "answered", "recovered after", "the breaker"
    );
    let under = ["bare", "protected", "bare", "protected", "opened after"].map(str::to_owned);
    let heads = [over, line("time after it", &under)].map(|head| palette.text(Hue::Bold, &head));
    let row = |outage: &OutageReport| {
        line(
            &outage.name,
            &[
                answered(&outage.bare),
                answered(&outage.protected),
                seconds(outage.bare_recovered_after, not_yet),
                seconds(outage.protected_recovered_after, not_yet),
                seconds(outage.detected_after, not_yet),
            ],
        )
    };
    heads.into_iter().chain(report.outages.iter().map(row)).collect()
}

fn line(name: &str, figures: &[String; 5]) -> String {
    let mut line = format!("{name:OUTAGE$}");
    for (figure, width) in figures.iter().zip(OUTAGE_FIGURES) {
        line += &format!(" {figure:>width$}");
    }
    line.trim_end().to_owned()
}

fn answered(chapter: &ChapterReport) -> String {
    format!("{} of {}", chapter.answered, chapter.requests)
}

fn seconds(time: Option<f64>, none: &str) -> String {
    time.map_or_else(|| none.to_owned(), |time| format!("{time:.2} s"))
}

fn meanings(report: &Report) -> Vec<String> {
    let mut lines = vec![
        "answered: a whole answer in time, at the first or a later attempt".to_owned(),
        "lost waiting: from arrival to the end, without the attempt that is answered".to_owned(),
    ];
    if !report.script.is_empty() {
        lines
            .push("recovered: from the end of the outage until ten callers in a row are answered".to_owned());
    }
    if report.speed != 1.0 {
        lines.push(format!("s: seconds of the script, {} of them to a real one", report.speed));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Library;

    #[test]
    fn the_longest_table_fits_80_by_24() {
        let client = || ClientReport {
            requests: 999_999,
            answered: 999_999,
            failed: 999_999,
            rejected: 999_999,
            unfinished: 999_999,
            caller_seconds_lost: 99_999.9,
            sent: 999_999,
            sent_to_sick_server: Some(999_999),
            arrived_at_server: Some(999_999),
            arrived_at_sick_server: Some(999_999),
        };
        let outage = |name: &str| OutageReport {
            name: name.to_owned(),
            from: 0.0,
            to: 1.0,
            bare: ChapterReport { requests: 4_000, answered: 4_000 },
            protected: ChapterReport { requests: 4_000, answered: 4_000 },
            detected_after: Some(99.99),
            bare_recovered_after: None,
            protected_recovered_after: Some(99.99),
        };
        let report = Report {
            seed: 1,
            speed: 6.0,
            rate_per_second: 200,
            client: Library::Hyper,
            server: String::new(),
            interrupted: true,
            ran_for_seconds: 59.5,
            script: vec![crate::report::SceneReport { server: "dead", sick: true, from: 0.0, to: 1.0 }],
            bare: client(),
            protected: client(),
            outages: ["brown-out, dead", "refusing", "hang", "slowed"].map(outage).into(),
            transitions: Vec::new(),
        };

        let text = text(&report, Palette::new(false));
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(text.lines().count() <= 23, "{} lines:\n{text}", text.lines().count());
        assert!(widest <= 79, "{widest} columns:\n{text}");
    }
}
