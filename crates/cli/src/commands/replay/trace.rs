//! A log of requests, read from CSV.

use std::collections::HashMap;
use std::io::Read;

use csv::{ByteRecord, ReaderBuilder, Trim};
use zae_limiter::core::amount::MAX_TOKENS;
use zae_limiter::{EntityId, Timestamp};

use super::expr::Sum;
use super::header::{Columns, Header, Layout};
use super::time::{self, parse_time};

const NUMBER: &str = "a whole number (at most 1000000000000 tokens in all)";
const ENTITY: &str = "an entity id (1 to 256 characters, no '#')";
const FIELDS: &str = "as many fields as there are columns";

/// The requests of a log, in time order; those of one instant in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) rows: Vec<Row>,
    /// The entities by number; empty if the log does not say whose the requests are.
    pub(super) entities: Vec<EntityId>,
    /// Rows that could not be read.
    pub(super) skipped: u64,
    /// The numbers of all rows, `width` a row, in the order of the file.
    tokens: Vec<u64>,
    width: usize,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) at: Timestamp,
    /// The number of its entity.
    pub(super) entity: usize,
    /// Its place among the rows of the file that could be read.
    pub(super) place: usize,
}

/// What to do about a row that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRows {
    Refuse,
    Skip,
}

/// What is wrong with a log, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadTrace(pub(super) String);

/// What is wrong with a row.
struct BadRow {
    column: usize,
    expected: &'static str,
}

impl Trace {
    /// Reads a log. Columns are found by the names in its first line.
    pub(super) fn read(input: impl Read, columns: &Columns<'_>, bad_rows: BadRows) -> Result<Self, BadTrace> {
        let unreadable = |error: csv::Error| BadTrace(error.to_string());
        let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(input);
        let header = Header::new(reader.byte_headers().map_err(unreadable)?)?;
        let layout = header.layout(columns)?;
        let mut trace = Self { width: layout.tokens.len(), ..Self::default() };
        let mut numbers = HashMap::new();
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(unreadable)? {
            let Err(bad) = trace.add(&record, &header, &layout, &mut numbers) else { continue };
            match bad_rows {
                BadRows::Skip => trace.skipped += 1,
                BadRows::Refuse => {
                    let line = first_line(&record, reader.position().line(), reader.is_done());
                    return Err(BadTrace(bad.describe(line, &header, &record)));
                }
            }
        }
        trace.rows.sort_by_key(|row| row.at);
        Ok(trace)
    }

    /// The numbers of a row, in the order in which [`Columns::tokens`] asked for them.
    pub(super) fn tokens_of(&self, row: Row) -> &[u64] {
        let start = row.place * self.width;
        &self.tokens[start..start + self.width]
    }

    /// How many entities have requests.
    pub(super) fn entity_count(&self) -> u64 {
        match self.entities.len() as u64 {
            0 => u64::from(!self.rows.is_empty()),
            entities => entities,
        }
    }

    /// Adds the request of a record, or nothing.
    fn add(
        &mut self,
        record: &ByteRecord,
        header: &Header,
        layout: &Layout,
        numbers: &mut HashMap<EntityId, usize>,
    ) -> Result<(), BadRow> {
        if record.len() != header.len() {
            return Err(BadRow { column: record.len().min(header.len()), expected: FIELDS });
        }
        let text = |column| record.get(column).and_then(|field| std::str::from_utf8(field).ok());
        let at = text(layout.time).and_then(parse_time);
        let at = at.ok_or(BadRow { column: layout.time, expected: time::EXPECTED })?;
        let entity = layout.entity.map(|column| {
            let id = text(column).and_then(|id| EntityId::new(id).ok());
            id.ok_or(BadRow { column, expected: ENTITY })
        });
        let entity = entity.transpose()?;
        let before = self.tokens.len();
        for sum in &layout.tokens {
            match value(sum, record) {
                Ok(tokens) => self.tokens.push(tokens),
                Err(bad) => {
                    self.tokens.truncate(before);
                    return Err(bad);
                }
            }
        }
        let entity = match entity {
            Some(id) => *numbers.entry(id).or_insert_with_key(|id| {
                self.entities.push(id.clone());
                self.entities.len() - 1
            }),
            None => 0,
        };
        self.rows.push(Row { at, entity, place: self.rows.len() });
        Ok(())
    }
}

/// What a sum comes to for a record.
fn value(sum: &Sum, record: &ByteRecord) -> Result<u64, BadRow> {
    sum.columns.iter().try_fold(sum.constant, |tokens, column| {
        let field = record.get(*column).unwrap_or_default();
        let number = whole_number(field).and_then(|number| tokens.checked_add(number));
        number.filter(|tokens| *tokens <= MAX_TOKENS).ok_or(BadRow { column: *column, expected: NUMBER })
    })
}

fn whole_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The line that a record begins in, given the reader's line after it.
///
/// The reader's own position of a record is that of the blank lines before it.
fn first_line(record: &ByteRecord, line_after: u64, at_end: bool) -> u64 {
    let _ = at_end;
    let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
    line_after.saturating_sub(inside + 1)
}

impl BadRow {
    fn describe(&self, line: u64, header: &Header, record: &ByteRecord) -> String {
        let Self { column, expected } = self;
        let found = match record.get(*column) {
            Some(field) => format!("{:?}", String::from_utf8_lossy(field)),
            None => "nothing".to_owned(),
        };
        match header.name(*column) {
            "" => format!("line {line}, column {}: expected {expected}, found {found}", column + 1),
            name => format!("line {line}, column {name}: expected {expected}, found {found}"),
        }
    }
}
