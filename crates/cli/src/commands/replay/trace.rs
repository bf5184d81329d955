//! A log of requests, read from CSV.

use std::collections::HashMap;

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
    /// Reads a log. Columns are found by the names in its first line. `progress` is told how many bytes are done.
    pub(super) fn read(
        csv: &[u8],
        columns: &Columns<'_>,
        bad_rows: BadRows,
        mut progress: impl FnMut(u64),
    ) -> Result<Self, BadTrace> {
        let unreadable = |error: csv::Error| BadTrace(error.to_string());
        let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(csv);
        let header = Header::new(reader.byte_headers().map_err(unreadable)?)?;
        let layout = header.layout(columns)?;
        let mut trace = Self { width: layout.tokens.len(), ..Self::default() };
        let mut numbers = HashMap::new();
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(unreadable)? {
            progress(reader.position().byte());
            let Err(bad) = trace.add(&record, &header, &layout, &mut numbers) else { continue };
            match bad_rows {
                BadRows::Skip => trace.skipped += 1,
                BadRows::Refuse => {
                    return Err(BadTrace(bad.describe(first_line(csv, &record), &header, &record)));
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

/// The line that a record begins in: where the reader stood before it, and the blank lines from there on.
fn first_line(csv: &[u8], record: &ByteRecord) -> u64 {
    let Some(position) = record.position() else { return 0 };
    let rest = usize::try_from(position.byte()).ok().and_then(|byte| csv.get(byte..)).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(csv: &str, bad_rows: BadRows) -> Result<Trace, BadTrace> {
        let tokens = "tpm=In+Out".parse().unwrap();
        let columns = Columns { time: None, entity: Some("key"), tokens: vec![&tokens] };
        Trace::read(csv.as_bytes(), &columns, bad_rows, |_| ())
    }

    fn problem(csv: &str) -> String {
        read(csv, BadRows::Refuse).unwrap_err().0
    }

    #[test]
    fn rows_are_in_time_order_and_in_file_order_within_an_instant() {
        let trace =
            read("Out,ts,In,key\n1,7,2,a\n3,5,4,b\n5,7.0009,6,b\n\n7,5,8,a\n", BadRows::Refuse).unwrap();
        let tokens: Vec<u64> = trace.rows.iter().map(|row| trace.tokens_of(*row)[0]).collect();
        assert_eq!(tokens, [7, 15, 3, 11]);
        let entities: Vec<&str> = trace.rows.iter().map(|row| trace.entities[row.entity].as_str()).collect();
        assert_eq!(entities, ["b", "a", "a", "b"]);
    }

    #[test]
    fn a_bad_row_is_named_by_line_and_column() {
        for (row, expected) in [
            ("1,x,2,k", "line 4, column ts: expected a time"),
            ("1,5,2.5,k", "line 4, column In: expected a whole number"),
            ("-1,5,2,k", "line 4, column Out: expected a whole number"),
            ("1,5,,k", "found \"\""),
            ("1,5,99999999999999999999,k", "column In: expected a whole number"),
            (
                "1,5,1000000000000,k",
                "column Out: expected a whole number (at most 1000000000000 tokens in all)",
            ),
            ("1,5,2,", "line 4, column key: expected an entity id"),
            ("1,5,2,a#b", "found \"a#b\""),
            ("1,5,2", "line 4, column key: expected as many fields as there are columns, found nothing"),
            ("1,5,2,k,9", "line 4, column 5: expected as many fields as there are columns, found \"9\""),
        ] {
            for end in ["", "\n", "\r\n", "\n6,6,6,k\n"] {
                let csv = format!("Out,ts,In,key\n1,5,2,k\n1,5,2,k\n{row}{end}");
                let problem = problem(&csv);
                assert!(problem.contains(expected), "{csv:?}: {problem}");
            }
        }
    }

    #[test]
    fn blank_lines_and_line_breaks_in_quotes_are_counted() {
        let csv = "\n\nOut,ts,In,key\r\n\r\n1,5,2,\"k\"\n\n\n1,5,2,\"x, y\"\n\n1,bad,2,\"k\"\n";
        assert!(problem(csv).starts_with("line 10, column ts"), "{}", problem(csv));
        let csv = "note,Out,ts,In,key\n\"two\nlines\",1,5,2,k\n\n\"two\nlines\",1,bad,2,k\n";
        assert!(problem(csv).starts_with("line 5, column ts"), "{}", problem(csv));
    }

    #[test]
    fn bad_rows_leave_nothing_behind_when_they_are_skipped() {
        let csv = "Out,ts,In,key\n1,bad,2,new\n1,5,x,other\n1,5,2,k\n1,5\n\"1\",6,\"7\",k\n";
        let trace = read(csv, BadRows::Skip).unwrap();
        assert_eq!(trace.skipped, 3);
        assert_eq!(trace.entity_count(), 1);
        let tokens: Vec<u64> = trace.rows.iter().map(|row| trace.tokens_of(*row)[0]).collect();
        assert_eq!(tokens, [3, 8]);
    }

    #[test]
    fn no_text_makes_it_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let length = random.usize(..40);
            let noise: String = (0..length)
                .map(|_| *random.choice(&[',', '"', '\n', '\r', '1', 'é', '-', ':', ' ', 'T', '.']).unwrap())
                .collect();
            for header in ["", "ts,In,Out,key\n"] {
                let _ = read(&format!("{header}{noise}"), BadRows::Skip);
                let _ = read(&format!("{header}{noise}"), BadRows::Refuse);
            }
        }
    }

    #[test]
    fn columns_that_are_not_there_are_explained() {
        for (csv, expected) in [
            ("", "it is empty"),
            ("\n\n", "it is empty"),
            ("5,6,7,8\n", "line 1 looks like a request"),
            (
                "a,b\n",
                "no column is called timestamp, time, ts; name one with --time-column; the columns are a, b",
            ),
            (
                "ts,Inn,Out,key\n",
                "there is no column \"In\"; did you mean \"Inn\"? the columns are ts, Inn, Out, key",
            ),
            ("ts,in,Out,key\n", "did you mean \"in\"?"),
            ("ts,x,Out,key\n", "there is no column \"In\"; the columns are"),
            ("ts,In,In,Out,key\n", "several columns are called \"In\""),
        ] {
            assert!(problem(csv).contains(expected), "{csv:?}: {}", problem(csv));
        }
        let columns = Columns { time: None, entity: None, tokens: vec![] };
        assert!(Trace::read(b"\xff,ts\n", &columns, BadRows::Skip, |_| ()).is_err());
        assert_eq!(read("\u{feff}ts,In,Out,key\n", BadRows::Refuse).unwrap().entity_count(), 0);
    }
}
