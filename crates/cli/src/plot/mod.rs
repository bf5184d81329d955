//! Charts over time, as SVG.

mod panel;
mod time_axis;

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use zae_limiter::Timestamp;

pub(crate) use self::panel::{GREEN, Panel, RED, Reference};
use self::panel::{Marks, Series};
use self::time_axis::TimeAxis;
pub(crate) use self::time_axis::step_for;
use crate::exit::Failure;
use crate::output::{grouped, minute};

const WIDTH: u32 = 1_000;
const PANEL_HEIGHT: u32 = 260;
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws panels below each other, over one range of time, into the file at `path`.
pub(crate) fn write(path: &Path, panels: &[Panel]) -> Result<(), Failure> {
    let mut svg = String::new();
    draw(&mut svg, panels).map_err(|error| Failure::other(format!("cannot draw the chart: {error}")))?;
    std::fs::write(path, svg).map_err(|error| Failure::file("write", path, &error))
}

fn draw(svg: &mut String, panels: &[Panel]) -> Result<(), Box<dyn std::error::Error>> {
    let rows = panels.len().max(1);
    let height = PANEL_HEIGHT * u32::try_from(rows)?;
    let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    match span_of(panels) {
        Some(span) => {
            for (area, panel) in root.split_evenly((rows, 1)).iter().zip(panels) {
                draw_panel(area, panel, span.clone())?;
            }
        }
        None => root.draw(&Text::new("nothing to show", (20, 20), (FONT, 16)))?,
    }
    root.present()?;
    Ok(())
}

/// The time that all panels together cover; `None` if they are empty.
fn span_of(panels: &[Panel]) -> Option<Range<Timestamp>> {
    let spans: Vec<Range<Timestamp>> = panels.iter().filter_map(Panel::span).collect();
    let start = spans.iter().map(|span| span.start).min()?;
    let end = spans.iter().map(|span| span.end).max()?;
    Some(start..end.max(Timestamp::from_millis(start.as_millis() + 1)))
}

fn draw_panel(
    area: &Area<'_>,
    panel: &Panel,
    span: Range<Timestamp>,
) -> Result<(), Box<dyn std::error::Error>> {
    let since = minute(span.start);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(24)
        .caption(format!("{}, from {since} UTC", panel.title()), (FONT, 19))
        .x_label_area_size(26)
        .y_label_area_size(90)
        .build_cartesian_2d(TimeAxis::new(span), panel.values())?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT).bold_line_style(BLACK.mix(0.12)).label_style((FONT, 15));
    mesh.x_labels(10).y_labels(6).y_label_formatter(&|value| label(*value)).draw()?;
    for (i, Series { name, colour }) in panel.series().iter().enumerate() {
        let colour = *colour;
        match panel.marks() {
            Marks::Bars(bars) => {
                chart.draw_series(bars.iter().filter(|bar| bar.values.len() > i).map(|bar| {
                    let below: f64 = bar.values[..i].iter().sum();
                    Rectangle::new([(bar.from, below), (bar.to, below + bar.values[i])], colour.filled())
                }))?;
            }
            Marks::Line(points) => {
                for line in Panel::lines_of(points, i) {
                    chart
                        .draw_series(LineSeries::new(line, colour.filled().stroke_width(2)).point_size(2))?;
                }
            }
        }
        if let Some(name) = name {
            // A series of its own for the legend, as a broken line has several.
            let swatch = move |(x, y)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], colour.filled());
            chart.draw_series(std::iter::empty::<Rectangle<_>>())?.label(name).legend(swatch);
        }
    }
    let reference = panel.reference();
    if let Some((name, steps)) = &reference {
        let beyond = steps.iter().all(|(_, height)| *height > panel.values().end);
        let name = if beyond { format!("{name} (above the chart)") } else { (*name).to_owned() };
        let swatch = |(x, y)| PathElement::new([(x, y), (x + 12, y)], RED.stroke_width(2));
        let shown = steps.iter().copied().filter(|_| !beyond);
        chart.draw_series(LineSeries::new(shown, RED.stroke_width(2)))?.label(name).legend(swatch);
    }
    if reference.is_some() || panel.series().iter().any(|series| series.name.is_some()) {
        let mut legend = chart.configure_series_labels();
        legend.position(SeriesLabelPosition::UpperRight).background_style(WHITE.mix(0.8));
        legend.border_style(BLACK.mix(0.2)).label_font((FONT, 15)).draw()?;
    }
    Ok(())
}

/// A value as a label of an axis: `20,000`, `0.25`.
fn label(value: f64) -> String {
    // Ticks are round, so what a label cuts off is the noise of binary fractions.
    #[expect(clippy::cast_possible_truncation, reason = "within the range of the amounts that limits have")]
    let whole = value.trunc() as i64;
    let fraction = format!("{:.3}", value.fract().abs());
    let fraction = fraction.trim_start_matches('0').trim_end_matches('0').trim_end_matches('.');
    format!("{}{fraction}", grouped(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_drawing() {
        let mut panel = Panel::bars("tpm on <script>&\"x\"".to_owned());
        panel.bar(Timestamp::EPOCH, Timestamp::from_millis(3_600_000), &[5.0]);
        let mut svg = String::new();
        draw(&mut svg, &[panel]).unwrap();
        assert!(!svg.contains("<script>"), "{svg}");
        assert!(svg.contains("&lt;script&gt;&amp;"), "{svg}");
        assert!(svg.contains("00:30"), "the time axis is labelled: {svg}");
    }

    #[test]
    fn labels_are_as_short_as_they_are_exact() {
        for (value, text) in
            [(0.0, "0"), (0.2, "0.2"), (0.1 + 0.2, "0.3"), (20_000.0, "20,000"), (-5.0, "-5")]
        {
            assert_eq!(label(value), text);
        }
    }

    #[test]
    fn a_reference_is_drawn_or_said_to_be_out_of_reach() {
        let drawn = |used: f64| {
            let reference = Reference { name: "capacity 1k/h".to_owned(), per_ms: 1_000.0 / 3_600_000.0 };
            let mut panel = Panel::bars("tpm".to_owned()).with_reference(reference);
            panel.bar(Timestamp::EPOCH, Timestamp::from_millis(3_600_000), &[used]);
            let mut svg = String::new();
            draw(&mut svg, &[panel]).unwrap();
            (svg.matches("#D62728").count(), svg)
        };
        let (lines_in_reach, svg) = drawn(900.0);
        assert!(svg.contains("capacity 1k/h") && !svg.contains("above the chart"), "{svg}");
        let (lines_out_of_reach, svg) = drawn(3.0);
        assert!(svg.contains("capacity 1k/h (above the chart)"), "{svg}");
        assert_eq!((lines_in_reach, lines_out_of_reach), (2, 1), "the line, and its mark in the legend");
    }

    #[test]
    fn nothing_is_drawn_as_such() {
        let mut svg = String::new();
        draw(&mut svg, &[]).unwrap();
        assert!(svg.contains("nothing to show"));
    }
}
