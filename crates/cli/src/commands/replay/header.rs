//! The columns of a log, found by name.

use csv::ByteRecord;

use super::expr::{Sum, Tokens};
use super::time::parse_time;
use super::trace::BadTrace;

/// Names that the time column has when none is given, whatever their case.
const TIME_COLUMNS: [&str; 3] = ["timestamp", "time", "ts"];
/// How alike two names have to be for one to be suggested for the other.
const ALIKE: f64 = 0.8;

/// Which columns mean what, by name.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    pub(super) time: Option<&'a str>,
    pub(super) entity: Option<&'a str>,
    /// Each gives a number for every row.
    pub(super) tokens: Vec<&'a Tokens>,
}

/// Which columns mean what, by place.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) time: usize,
    pub(super) entity: Option<usize>,
    pub(super) tokens: Vec<Sum>,
}

/// The names of the columns.
#[derive(Debug)]
pub(super) struct Header(Vec<String>);

impl Header {
    pub(super) fn new(record: &ByteRecord) -> Result<Self, BadTrace> {
        if record.is_empty() {
            return Err(BadTrace("it is empty; expected a first line that names the columns".to_owned()));
        }
        let names = record.iter().map(|name| std::str::from_utf8(name).map(str::to_owned));
        let names = names.collect::<Result<_, _>>();
        names.map(Self).map_err(|_| BadTrace("line 1: the names of the columns are not UTF-8".to_owned()))
    }

    /// How many columns there are.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of a column.
    pub(super) fn name(&self, place: usize) -> &str {
        self.0.get(place).map_or("", String::as_str)
    }

    /// Finds all columns that are asked for.
    pub(super) fn layout(&self, columns: &Columns<'_>) -> Result<Layout, BadTrace> {
        let time = match columns.time {
            Some(name) => self.place(name)?,
            None => self.time_column()?,
        };
        let entity = columns.entity.map(|name| self.place(name)).transpose()?;
        let tokens = columns.tokens.iter().map(|tokens| tokens.bind(|name| self.place(name)));
        Ok(Layout { time, entity, tokens: tokens.collect::<Result<_, _>>()? })
    }

    fn time_column(&self) -> Result<usize, BadTrace> {
        let is_time = |name: &String| TIME_COLUMNS.iter().any(|known| name.eq_ignore_ascii_case(known));
        self.0.iter().position(is_time).ok_or_else(|| {
            if self.0.iter().any(|name| parse_time(name).is_some()) {
                return BadTrace(
                    "line 1 looks like a request; expected a line that names the columns".to_owned(),
                );
            }
            let known = TIME_COLUMNS.join(", ");
            BadTrace(format!("no column is called {known}; name one with --time-column; {}", self.columns()))
        })
    }

    fn place(&self, name: &str) -> Result<usize, BadTrace> {
        let mut places = (0..self.0.len()).filter(|place| self.0[*place] == name);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => Err(BadTrace(format!("several columns are called {name:?}"))),
            (None, _) => {
                let hint = self.alike(name).map(|alike| format!("did you mean {alike:?}? "));
                let hint = hint.unwrap_or_default();
                Err(BadTrace(format!("there is no column {name:?}; {hint}{}", self.columns())))
            }
        }
    }

    fn alike(&self, name: &str) -> Option<&String> {
        let likeness = |other: &String| strsim::jaro(&other.to_lowercase(), &name.to_lowercase());
        let best = self.0.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        (likeness(best) >= ALIKE).then_some(best)
    }

    fn columns(&self) -> String {
        format!("the columns are {}", self.0.join(", "))
    }
}
