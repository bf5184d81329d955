//! How far a stream has been counted.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest sequence number of a stream, in digits: more than a number of DynamoDB or a `u128` holds.
const DIGITS: usize = 40;

/// The sequence number of a stream record.
///
/// Numbers rise along a shard and its descendants. All records of one item are in one such line, so among them a number
/// tells which came first; between items it tells nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber([u8; DIGITS]);

/// A text that is not a sequence number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a sequence number: expected 1 to {DIGITS} digits")]
pub struct SequenceNumberError(String);

impl FromStr for SequenceNumber {
    type Err = SequenceNumberError;

    fn from_str(text: &str) -> Result<Self, SequenceNumberError> {
        let is_number = (1..=DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            let shown = text.chars().take(2 * DIGITS).collect();
            return Err(SequenceNumberError(shown));
        }
        // Of one length, so that the order of the digits is the order of the numbers, in the table too.
        let mut digits = [b'0'; DIGITS];
        digits[DIGITS - text.len()..].copy_from_slice(text.as_bytes());
        Ok(Self(digits))
    }
}

/// With leading zeros.
impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A record's place in all that was ever streamed from a table: which stream, and where in it.
///
/// A table gets another stream when streaming is turned off and on again, or when it is restored from a backup, and
/// nothing is said about the numbers there. A stream's label is the time of its making, so the later one is greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamPosition {
    /// Label of the stream.
    pub stream: Arc<str>,
    /// Where in it.
    pub sequence: SequenceNumber,
}

impl StreamPosition {
    /// Reads what [`fmt::Display`] prints.
    pub fn parse(text: &str) -> Option<Self> {
        let (stream, sequence) = text.rsplit_once(' ')?;
        Some(Self { stream: stream.into(), sequence: sequence.parse().ok()? })
    }
}

/// The label and the number, apart by a space, which sorts before all that is in a label: so the order of the texts is
/// the order of the positions.
impl fmt::Display for StreamPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.stream, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = StreamPosition> {
        ("[0-9T:.-]{0,24}", "[0-9]{1,40}").prop_map(|(stream, sequence)| StreamPosition {
            stream: stream.into(),
            sequence: sequence.parse().unwrap(),
        })
    }

    proptest! {
        #[test]
        fn positions_read_back_and_are_ordered_as_their_texts(a in position(), b in position()) {
            prop_assert_eq!(StreamPosition::parse(&a.to_string()), Some(a.clone()));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn numbers_are_ordered_as_numbers(a in any::<u128>(), b in any::<u128>()) {
            let number = |number: u128| number.to_string().parse::<SequenceNumber>().unwrap();
            prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in ["", "-1", "1.5", "a", " 1", "+1", &"1".repeat(41)] {
            assert!(bad.parse::<SequenceNumber>().is_err(), "{bad}");
        }
    }
}
