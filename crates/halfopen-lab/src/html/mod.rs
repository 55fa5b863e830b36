//! Reports as one page: no script, and no other file.

use std::io::{self, Write};

use crate::parse::utc;
use crate::replay::{Bucket, Credit, Report, UNKNOWN};
use crate::table::{HEADER, credits, row, summary, title};

mod plot;

use plot::{Axis, Plot, Points, Tint};

/// The steps of a plot: finer ones are a comb of single calls.
const STEPS: usize = 160;
const STYLE: &str = include_str!("page.css");

impl Report {
    /// Writes the report as a page of HTML: the tables, and plots of the calls over time.
    ///
    /// The page has no script, and requests no other file; it has light and dark colors. `account` is a text about the
    /// logs, such as that of their lines, which is shown above the tables. All names are escaped.
    ///
    /// # Errors
    ///
    /// Returns the error of the writer.
    pub fn write_html(&self, account: &str, out: &mut impl Write) -> io::Result<()> {
        // A policy that forbids all requests, whatever a name in a log is.
        writeln!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>halfopen-lab replay</title>\n\
             <style>\n{STYLE}</style>"
        )?;
        writeln!(out, "<h1>What would each setting have done?</h1>\n<p>{}</p>", escaped(&summary(self)))?;
        if !account.is_empty() {
            writeln!(out, "<pre>{}</pre>", escaped(account.trim_end()))?;
        }
        for credit in credits(&self.log) {
            self.write_table(*credit, out)?;
        }
        self.write_unknown(out)?;
        let axis = Axis::of(self.series.in_buckets(STEPS), &utc(self.log.began));
        if self.settings.iter().any(|setting| setting.in_time.wait_saved > 0.0) {
            self.write_wait_saved(&axis, out)?;
        }
        for (place, setting) in self.settings.iter().enumerate() {
            writeln!(out, "<h2>{}</h2>", escaped(&setting.name))?;
            self.write_rates(place, &axis, out)?;
            self.write_calls(place, &axis, out)?;
            self.write_states(place, &axis, out)?;
        }
        writeln!(out, "</html>")
    }

    fn write_table(&self, credit: Credit, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "<div class=\"wide\"><table><caption>{}.</caption>\n<tr>",
            title(credit, self.log.late)
        )?;
        HEADER.iter().try_for_each(|name| write!(out, "<th scope=\"col\">{name}"))?;
        for setting in &self.settings {
            let [name, figures @ ..] = row(setting, setting.compared(credit));
            write!(out, "\n<tr><th scope=\"row\">{}", escaped(&name))?;
            figures.iter().try_for_each(|figure| write!(out, "<td>{}", escaped(figure)))?;
        }
        writeln!(out, "\n</table></div>")
    }

    fn write_unknown(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "<h2>A replay does not know</h2>\n<ul>")?;
        UNKNOWN.iter().try_for_each(|line| writeln!(out, "<li>{}", escaped(line)))?;
        writeln!(out, "</ul>")
    }

    /// The time of waiting that rejections saved so far, a line per setting.
    fn write_wait_saved(&self, axis: &Axis, out: &mut impl Write) -> io::Result<()> {
        let mut plot = Plot::new("Wait saved so far by rejected failures and late answers, in seconds", axis);
        for (place, setting) in self.settings.iter().enumerate() {
            let mut sum = 0.0;
            let points = axis.steps(|bucket| {
                sum += bucket.runs.get(place).map_or(0.0, |run| run.wait_saved);
                Some(sum)
            });
            plot.line(&setting.name, Tint::Of(place), points);
        }
        writeln!(out, "<h2>Wait saved</h2>")?;
        plot.write(out)
    }

    /// The bad calls of the log beside those that are left.
    fn write_rates(&self, place: usize, axis: &Axis, out: &mut impl Write) -> io::Result<()> {
        let share = |bad: u64, calls: u64| (calls > 0).then(|| 100.0 * bad as f64 / calls as f64);
        let logged = |bucket: &Bucket| share(bucket.bad + bucket.late, bucket.calls);
        let left = |bucket: &Bucket| {
            let run = bucket.runs.get(place).copied().unwrap_or_default();
            let bad = bucket.bad + bucket.late - run.rejected_bad - run.rejected_late;
            share(bad, bucket.calls - run.rejected)
        };
        let mut plot = Plot::new("Failure rate, late answers included, in percent", axis).up_to(100.0);
        plot.line("of all calls of the log", Tint::Quiet, axis.steps(logged));
        plot.line("of the calls that were let through", Tint::Bad, axis.steps(left));
        plot.write(out)
    }

    /// The calls that were let through, and above them those that were rejected.
    fn write_calls(&self, place: usize, axis: &Axis, out: &mut impl Write) -> io::Result<()> {
        let most = axis.series.buckets.iter().map(|bucket| bucket.calls).max().unwrap_or(0);
        let (title, unit) = unit_of_rates(most as f64 / axis.series.width as f64);
        let rate = |calls: u64| Some(calls as f64 / axis.series.width as f64 * unit);
        let rejected = |bucket: &Bucket| bucket.runs.get(place).map_or(0, |run| run.rejected);
        let all = axis.steps(|bucket| rate(bucket.calls));
        let through = axis.steps(|bucket| rate(bucket.calls - rejected(bucket)));
        let mut plot = Plot::new(title, axis);
        // The lower area is drawn over the higher one.
        plot.area("rejected", Tint::Rejected, all);
        plot.area("let through", Tint::Passed, through);
        plot.write(out)
    }

    fn write_states(&self, place: usize, axis: &Axis, out: &mut impl Write) -> io::Result<()> {
        let open = |bucket: &Bucket| bucket.runs.get(place).map(|run| f64::from(run.open));
        let open: Points = axis.steps(open);
        let mut plot = Plot::new("State: breakers that were not closed", axis).low();
        plot.area("open or half-open", Tint::Bad, open);
        plot.write(out)
    }
}

/// The title of a plot of calls, and the time in nanoseconds for which they are counted: so long that the highest of these
/// rates is at least one. The rate is in calls a nanosecond.
fn unit_of_rates(highest: f64) -> (&'static str, f64) {
    const UNITS: [(&str, f64); 3] =
        [("Calls a second", 1e9), ("Calls a minute", 60e9), ("Calls an hour", 3_600e9)];
    let found = UNITS.into_iter().find(|(_, unit)| highest * unit >= 1.0);
    found.unwrap_or(("Calls a day", 86_400e9))
}

/// A text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Not allowed in a page.
            other if other.is_control() && other != '\n' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use halfopen::{CircuitBreakerConfig, Outcome};

    use super::unit_of_rates;
    use crate::{By, Call, Keys, LoggedEnd, Replay, Setting};

    fn page(name: &str, account: &str, calls: u64) -> String {
        let setting = Setting::new(name, CircuitBreakerConfig::default());
        let mut replay = Replay::new(vec![setting], None);
        let keys = Keys::new(By::All);
        for second in 0..calls {
            let outcome = if second > 50 { Outcome::Failure } else { Outcome::Success };
            let end = LoggedEnd::Outcome(outcome);
            replay.push(&keys, Call { start: second * 1_000_000_000, took: Some(1_000_000), key: 0, end });
        }
        let mut page = Vec::new();
        replay.finish().write_html(account, &mut page).expect("memory is written");
        String::from_utf8(page).expect("UTF-8")
    }

    #[test]
    fn a_page_has_its_plots_and_no_other_file() {
        let page = page("a", "", 100);
        assert_eq!(page.matches("<svg").count(), 4, "the wait, the rate, the calls and the states");
        for foreign in [" src=", "href=", "<script", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn rates_below_one_a_second_have_a_longer_unit() {
        let titles = [1.0, 59.0, 61.0, 3_599.0, 3_601.0, 1e9].map(|seconds| unit_of_rates(1e-9 / seconds).0);
        let (minute, hour, day) = ("Calls a minute", "Calls an hour", "Calls a day");
        assert_eq!(titles, ["Calls a second", minute, hour, hour, day, day]);
    }

    #[test]
    fn names_are_no_markup() {
        let name = "<img src=x onerror=alert(1)>\"'&\u{0}";
        let page = page(name, name, 100);
        assert!(!page.contains("<img") && !page.contains('\0'), "neither the setting's nor the account's");
        assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"), "{page}");
    }

    #[test]
    fn a_log_of_no_call_or_one_is_a_page() {
        for calls in [0, 1] {
            assert!(page("a", "", calls).ends_with("</html>\n"), "{calls}");
        }
    }
}
