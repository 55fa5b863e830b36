use crate::paint::{Hue, Paint};
use crate::report::{ClientReport, Report};

const LABEL: usize = 44;
const FIGURE: usize = 12;

/// The two clients side by side, and what each figure means.
pub(crate) fn text(report: &Report, paint: Paint) -> String {
    let head = format!("{:LABEL$}{:>FIGURE$}{:>FIGURE$}", title(report), "bare", "protected");
    let mut lines = vec![String::new(), paint.text(Hue::Bold, &head)];
    lines.extend(
        rows(report)
            .iter()
            .map(|(label, bare, protected)| format!("{label:LABEL$}{bare:>FIGURE$}{protected:>FIGURE$}")),
    );
    lines.extend([String::new(), paint.text(Hue::Bold, &in_short(report)), String::new()]);
    lines.extend(meanings(report).iter().map(|line| paint.text(Hue::Dim, line)));
    lines.join("\n") + "\n"
}

fn title(report: &Report) -> String {
    let stopped = if report.interrupted { "stopped after" } else { "all" };
    format!("{stopped} {:.0} s of seed {}", report.ran_for_seconds, report.seed)
}

/// What the breaker was good for, and what it cost.
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
    format!("With the breaker: {sent}, waiting {waiting}, answers {answered}.")
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
    both("  requests answered", &|client| count(client.answered));
    both("  failed", &|client| count(client.failed));
    both("  rejected by the breaker", &|client| count(client.rejected));
    if report.bare.unfinished + report.protected.unfinished > 0 {
        both("  still waiting at the end", &|client| count(client.unfinished));
    }
    both("requests sent, retries included", &|client| count(client.sent));
    both("  as the server counted them", &|client| client.arrived_at_server.map(|n| n.to_string()));
    both("requests sent to the sick server", &|client| client.sent_to_sick_server.map(|n| n.to_string()));
    both("  as the server counted them", &|client| client.arrived_at_sick_server.map(|n| n.to_string()));
    both("caller-seconds lost waiting", &|client| Some(format!("{:.1} s", client.caller_seconds_lost)));
    let not_yet = if report.interrupted { "not yet" } else { "never" };
    for outage in &report.outages {
        let label = format!("time to detect: {}", outage.name);
        rows.push((label, "-".to_owned(), seconds(outage.detected_after, not_yet)));
    }
    for outage in &report.outages {
        rows.push((
            format!("time to recover: {}", outage.name),
            seconds(outage.bare_recovered_after, not_yet),
            seconds(outage.protected_recovered_after, not_yet),
        ));
    }
    rows
}

fn seconds(time: Option<f64>, none: &str) -> String {
    time.map_or_else(|| none.to_owned(), |time| format!("{time:.2} s"))
}

fn meanings(report: &Report) -> Vec<String> {
    let mut lines = vec![
        "requests answered: whole answers; a 408, 429 or 5xx is none (a 501 or 505 is)",
        "requests sent: attempts given to the HTTP client, beneath timeout and breaker",
        "caller-seconds lost: arrival to end of all callers, less the answering attempt",
    ];
    if !report.script.is_empty() {
        lines.extend([
            "sick: in brown-out, dead, overloaded or hang when sent (the server: received)",
            "time to detect: first sick moment until the breaker opens; bare never does",
            "time to recover: last sick moment until ten later callers in a row are answered",
        ]);
    }
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    if report.speed != 1.0 {
        lines.push(format!("s: script seconds, {} of them to a real one", report.speed));
    }
    lines
}
