//! Charts over time, as SVG.

mod panel;
mod time_axis;

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use zae_limiter::Timestamp;

pub(crate) use self::panel::{GREEN, Panel, RED};
use self::panel::{Marks, Series};
use self::time_axis::TimeAxis;
pub(crate) use self::time_axis::step_for;
use crate::exit::Failure;

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
    let values = panel.values();
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(24)
        .caption(panel.title(), (FONT, 16))
        .x_label_area_size(24)
        .y_label_area_size(72)
        .build_cartesian_2d(TimeAxis::new(span), values)?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_labels(10).y_labels(6).draw()?;
    let mut named = false;
    for (i, series) in panel.series().iter().enumerate() {
        let colour = series.colour;
        let drawn = match panel.marks() {
            Marks::Bars(bars) => chart.draw_series(bars.iter().filter(|bar| bar.values.len() > i).map(|bar| {
                let below: f64 = bar.values[..i].iter().sum();
                let corners = [(bar.from, below), (bar.to, below + bar.values[i])];
                Rectangle::new(corners, colour.filled())
            }))?,
            Marks::Line(points) => chart.draw_series(LineSeries::new(
                points.iter().filter_map(|(at, values)| Some((*at, *values.get(i)?))),
                colour.stroke_width(2),
            ))?,
        };
        if let Series { name: Some(name), .. } = series {
            named = true;
            drawn.label(name).legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], colour.filled()));
        }
    }
    if named {
        let mut legend = chart.configure_series_labels();
        legend.position(SeriesLabelPosition::UpperRight).background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.2));
        legend.label_font((FONT, 13)).draw()?;
    }
    Ok(())
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
    fn nothing_is_drawn_as_such() {
        let mut svg = String::new();
        draw(&mut svg, &[]).unwrap();
        assert!(svg.contains("nothing to show"));
    }
}
