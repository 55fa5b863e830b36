//! Plots over the time of a log, as SVG inside a page.

use std::io::{self, Write};

use plotters::prelude::*;

use super::escaped;
use crate::call::Nanos;
use crate::replay::{Bucket, Series};

const WIDTH: u32 = 960;

/// The runs of points of a line; between them it has no value.
pub(super) type Points = Vec<Vec<(f64, f64)>>;

/// A color of the page: dark pages have another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tint {
    Bad,
    Quiet,
    Passed,
    Rejected,
    /// That of the setting with this index.
    Of(usize),
}

impl Tint {
    /// The number of colors of settings, which are used in turn.
    const SETTINGS: usize = 6;

    /// The name of its variable.
    fn variable(self) -> String {
        match self {
            Tint::Bad => "bad".to_owned(),
            Tint::Quiet => "quiet".to_owned(),
            Tint::Passed => "passed".to_owned(),
            Tint::Rejected => "rejected".to_owned(),
            Tint::Of(place) => format!("c{}", place % Tint::SETTINGS),
        }
    }

    /// The color that stands for the variable in the output of the plotting library.
    fn stand_in(self) -> RGBColor {
        match self {
            Tint::Bad => RGBColor(1, 0, 1),
            Tint::Quiet => RGBColor(1, 0, 2),
            Tint::Passed => RGBColor(1, 0, 3),
            Tint::Rejected => RGBColor(1, 0, 4),
            Tint::Of(place) => RGBColor(2, 0, (place % Tint::SETTINGS) as u8),
        }
    }
}

const INK: RGBColor = RGBColor(3, 0, 1);
const GRID: RGBColor = RGBColor(3, 0, 2);

/// The axis of the time.
#[derive(Debug)]
pub(super) struct Axis {
    /// The calls of each step.
    pub(super) series: Series,
    title: String,
    /// A bucket in the unit of the axis.
    step: f64,
    end: f64,
}

impl Axis {
    pub(super) fn of(series: Series, began: &str) -> Axis {
        let lasts = series.width.saturating_mul(series.buckets.len().max(1) as Nanos) as f64 / 1e9;
        let (unit, seconds) = match lasts {
            s if s < 300.0 => ("Seconds", 1.0),
            s if s < 18_000.0 => ("Minutes", 60.0),
            s if s < 432_000.0 => ("Hours", 3_600.0),
            _ => ("Days", 86_400.0),
        };
        let step = series.width as f64 / 1e9 / seconds;
        Axis { series, title: format!("{unit} since {began}"), step, end: lasts / seconds }
    }

    /// The value of each bucket from its begin to its end.
    pub(super) fn steps(&self, mut value: impl FnMut(&Bucket) -> Option<f64>) -> Points {
        let mut runs = vec![Vec::new()];
        for (place, bucket) in self.series.buckets.iter().enumerate() {
            let begin = place as f64 * self.step;
            match (value(bucket), runs.last_mut()) {
                (Some(value), Some(run)) => run.extend([(begin, value), (begin + self.step, value)]),
                (None, Some(run)) if run.is_empty() => {}
                (_, _) => runs.push(Vec::new()),
            }
        }
        runs
    }
}

struct Drawn {
    name: String,
    color: Tint,
    is_area: bool,
    points: Points,
}

/// A plot that is being put together.
pub(super) struct Plot<'a> {
    title: &'static str,
    axis: &'a Axis,
    height: u32,
    /// The values are counts.
    is_whole: bool,
    most: Option<f64>,
    all: Vec<Drawn>,
}

impl<'a> Plot<'a> {
    pub(super) fn new(title: &'static str, axis: &'a Axis) -> Plot<'a> {
        Plot { title, axis, height: 220, is_whole: false, most: None, all: Vec::new() }
    }

    /// The end of the axis of the values; otherwise it is the highest value.
    pub(super) fn up_to(self, most: f64) -> Plot<'a> {
        Plot { most: Some(most), ..self }
    }

    /// Half as high, of a count.
    pub(super) fn low(self) -> Plot<'a> {
        Plot { height: 130, is_whole: true, ..self }
    }

    pub(super) fn line(&mut self, name: &str, color: Tint, points: Points) {
        self.all.push(Drawn { name: name.to_owned(), color, is_area: false, points });
    }

    pub(super) fn area(&mut self, name: &str, color: Tint, points: Points) {
        self.all.push(Drawn { name: name.to_owned(), color, is_area: true, points });
    }

    /// Writes the plot with its legend.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut svg = self.drawn().map_err(|error| io::Error::other(error.to_string()))?;
        for (color, variable) in self.colors() {
            let RGBColor(red, green, blue) = color;
            let written = format!("\"#{red:02X}{green:02X}{blue:02X}\"");
            svg = svg.replace(&written, &format!("\"var(--{variable})\""));
        }
        write!(out, "<figure><figcaption>{}", escaped(self.title))?;
        for drawn in &self.all {
            let (name, variable) = (escaped(&drawn.name), drawn.color.variable());
            write!(out, "<span><i style=\"background:var(--{variable})\"></i>{name}</span>")?;
        }
        writeln!(out, "</figcaption>\n{}</figure>", svg.trim_start())
    }

    fn colors(&self) -> Vec<(RGBColor, String)> {
        let fixed = [(INK, "soft".to_owned()), (GRID, "line".to_owned())];
        let drawn = self.all.iter().map(|it| (it.color.stand_in(), it.color.variable()));
        fixed.into_iter().chain(drawn).collect()
    }

    fn drawn(&self) -> Result<String, Box<dyn std::error::Error>> {
        let mut svg = String::new();
        let values = self.all.iter().flat_map(|it| &it.points).flatten().map(|(_, value)| *value);
        let highest = values.fold(0.0, f64::max);
        let most = self.most.unwrap_or(if highest > 0.0 { highest * 1.08 } else { 1.0 });
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH, self.height)).into_drawing_area();
            let mut chart = ChartBuilder::on(&area)
                .margin_top(8)
                .margin_right(16)
                .x_label_area_size(40)
                .y_label_area_size(56)
                .build_cartesian_2d(0.0..self.axis.end, 0.0..most)?;
            let labels = ("sans-serif", 13, &INK).into_text_style(&area);
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .axis_style(GRID)
                .label_style(labels)
                .x_desc(self.axis.title.as_str())
                .x_labels(10)
                .y_labels(if self.is_whole { 3 } else { 5 })
                .y_label_formatter(&|value| {
                    if self.is_whole && value.fract() != 0.0 { String::new() } else { label(*value) }
                })
                .x_label_formatter(&|value| label(*value))
                .draw()?;
            for drawn in &self.all {
                let color = drawn.color.stand_in();
                for run in drawn.points.iter().filter(|run| !run.is_empty()) {
                    let points = run.iter().copied();
                    if drawn.is_area {
                        chart.draw_series(AreaSeries::new(points, 0.0, color))?;
                    } else {
                        chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?;
                    }
                }
            }
            area.present()?;
        }
        Ok(svg)
    }
}

/// A number without needless digits.
fn label(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_no_needless_digits() {
        assert_eq!([0.0, 0.5, 100.0, 1.25].map(label), ["0", "0.5", "100", "1.25"]);
    }
}
