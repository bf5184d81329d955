//! What one chart shows.

use std::ops::Range;

use plotters::style::RGBColor;
use zae_limiter::Timestamp;

const PALETTE: [RGBColor; 8] = [
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0xff, 0x7f, 0x0e),
    RGBColor(0x94, 0x67, 0xbd),
    RGBColor(0x17, 0xbe, 0xcf),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0xe3, 0x77, 0xc2),
    RGBColor(0xbc, 0xbd, 0x22),
    RGBColor(0x7f, 0x7f, 0x7f),
];
pub(crate) const GREEN: RGBColor = RGBColor(0x4c, 0xaf, 0x50);
pub(crate) const RED: RGBColor = RGBColor(0xd6, 0x27, 0x28);

/// Bars that are lower than this part of the reference could not be read any more beside it.
const DWARFED_BY: f64 = 20.0;

/// Values over time, of one or several series.
#[derive(Debug)]
pub(crate) struct Panel {
    title: String,
    series: Vec<Series>,
    marks: Marks,
    reference: Option<Reference>,
}

/// A value that is proportional to a bar's time, drawn as a line across it.
#[derive(Debug)]
pub(crate) struct Reference {
    /// For the legend.
    pub(crate) name: String,
    /// The value for each ms that a bar covers.
    pub(crate) per_ms: f64,
}

#[derive(Debug)]
pub(super) struct Series {
    /// For the legend.
    pub(super) name: Option<String>,
    pub(super) colour: RGBColor,
}

#[derive(Debug)]
pub(super) enum Marks {
    /// The series stacked on each other.
    Bars(Vec<Bar>),
    /// A line a series, broken where there are no values.
    Line(Vec<(Timestamp, Option<Vec<f64>>)>),
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) values: Vec<f64>,
}

impl Panel {
    /// Bars of one series.
    pub(crate) fn bars(title: String) -> Self {
        let series = vec![Series { name: None, colour: PALETTE[0] }];
        Self { title, series, marks: Marks::Bars(Vec::new()), reference: None }
    }

    /// Stacked bars of named series.
    pub(crate) fn stacked(title: String, series: &[(&str, RGBColor)]) -> Self {
        let series =
            series.iter().map(|(name, colour)| Series { name: Some((*name).to_owned()), colour: *colour });
        Self { title, series: series.collect(), marks: Marks::Bars(Vec::new()), reference: None }
    }

    /// A line for each of the named series.
    pub(crate) fn lines(title: String, names: impl IntoIterator<Item = String>) -> Self {
        let series = names.into_iter().zip(PALETTE.into_iter().cycle());
        let series = series.map(|(name, colour)| Series { name: Some(name), colour });
        Self { title, series: series.collect(), marks: Marks::Line(Vec::new()), reference: None }
    }

    /// The same, with a line of reference.
    pub(crate) fn with_reference(self, reference: Reference) -> Self {
        Self { reference: Some(reference), ..self }
    }

    /// Adds a bar: a value for each series.
    pub(crate) fn bar(&mut self, from: Timestamp, to: Timestamp, values: &[f64]) {
        if let Marks::Bars(bars) = &mut self.marks {
            bars.push(Bar { from, to, values: values.to_vec() });
        }
    }

    /// Adds a point to each line, or a break.
    pub(crate) fn point(&mut self, at: Timestamp, values: Option<Vec<f64>>) {
        if let Marks::Line(points) = &mut self.marks {
            points.push((at, values));
        }
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn series(&self) -> &[Series] {
        &self.series
    }

    /// The lines of a series: its points from one break to the next.
    pub(super) fn lines_of(
        points: &[(Timestamp, Option<Vec<f64>>)],
        series: usize,
    ) -> Vec<Vec<(Timestamp, f64)>> {
        let value = |(at, values): &(Timestamp, Option<Vec<f64>>)| {
            Some((*at, values.as_ref()?.get(series).copied()?))
        };
        points
            .split(|(_, values)| values.is_none())
            .filter(|run| !run.is_empty())
            .map(|run| run.iter().filter_map(value).collect())
            .collect()
    }

    /// The line of reference, as high as it is over each bar.
    pub(super) fn reference(&self) -> Option<(&str, Vec<(Timestamp, f64)>)> {
        let (reference, Marks::Bars(bars)) = (self.reference.as_ref()?, &self.marks) else { return None };
        let steps = bars.iter().flat_map(|bar| {
            let height = reference.over(bar);
            [(bar.from, height), (bar.to, height)]
        });
        Some((&reference.name, steps.collect()))
    }

    pub(super) const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The time covered; `None` if there is nothing.
    pub(super) fn span(&self) -> Option<Range<Timestamp>> {
        match &self.marks {
            Marks::Bars(bars) => {
                Some(bars.iter().map(|bar| bar.from).min()?..bars.iter().map(|bar| bar.to).max()?)
            }
            Marks::Line(points) => Some(points.first()?.0..points.last()?.0),
        }
    }

    /// The range of the values, zero included, with some air. A reference that dwarfs them is left out.
    pub(super) fn values(&self) -> Range<f64> {
        let mut sums: Vec<f64> = match &self.marks {
            Marks::Bars(bars) => bars.iter().map(|bar| bar.values.iter().sum()).collect(),
            Marks::Line(points) => {
                points.iter().filter_map(|(_, values)| values.as_ref()).flatten().copied().collect()
            }
        };
        let most = sums.iter().copied().fold(0.0, f64::max);
        let reference = self.reference().into_iter().flat_map(|(_, steps)| steps).map(|(_, height)| height);
        sums.extend(reference.filter(|height| *height <= most * DWARFED_BY));
        let most = sums.iter().copied().fold(0.0, f64::max);
        let least = sums.iter().copied().fold(0.0, f64::min);
        let air = (most - least) * 0.05;
        // The legend of a reference goes above it.
        let headroom = if self.reference.is_some() { 5.0 * air } else { air };
        let (bottom, top) = (if least < 0.0 { least - air } else { 0.0 }, most + headroom);
        bottom..if top > bottom { top } else { 1.0 }
    }
}

impl Reference {
    #[expect(clippy::cast_precision_loss, reason = "the height of a line")]
    fn over(&self, bar: &Bar) -> f64 {
        self.per_ms * bar.to.since(bar.from).as_millis() as f64
    }
}
