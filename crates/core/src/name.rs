//! Validated names: who ([`EntityId`]), what ([`Resource`]) and which limit ([`LimitName`]).

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// The longest entity id or resource, in characters.
pub const MAX_NAME_CHARS: usize = 256;
/// The longest limit name, in characters.
pub const MAX_LIMIT_NAME_CHARS: usize = 64;

/// Why a string is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The string is empty.
    #[error("{what} must not be empty")]
    Empty {
        /// Which kind of name it was to be.
        what: &'static str,
    },
    /// The string has too many characters.
    #[error("{what} must have at most {max} characters, this one has {len}")]
    TooLong {
        /// Which kind of name it was to be.
        what: &'static str,
        /// Characters allowed.
        max: usize,
        /// Characters found.
        len: usize,
    },
    /// The string has a character that names may not have.
    #[error("{what} {name:?} must not contain {character:?}")]
    Character {
        /// Which kind of name it was to be.
        what: &'static str,
        /// The string.
        name: String,
        /// The first character at fault.
        character: char,
    },
    /// A limit name that does not match `[A-Za-z][A-Za-z0-9_.-]{0,63}`.
    #[error("limit name {0:?} must be a letter followed by at most 63 letters, digits, '_', '.' or '-'")]
    Limit(String),
    /// A resource name that is reserved.
    #[error("resource {0:?} is reserved for default limits")]
    Reserved(String),
}

#[inline]
fn check_free_text(what: &'static str, name: &str) -> Result<(), NameError> {
    if is_plain(name.as_bytes()) && name.len() <= MAX_NAME_CHARS {
        return Ok(());
    }
    check_unusual_text(what, name)
}

/// Whether a name is printable ASCII, free of `#`, and not empty, which is what nearly all names are. May be false for
/// others as well: this only saves a closer look.
#[inline]
fn is_plain(name: &[u8]) -> bool {
    // Eight bytes at a time, and the last ones, which may overlap those before.
    if let Some(last) = name.last_chunk() {
        return name.as_chunks().0.iter().all(|bytes| are_plain(u64::from_ne_bytes(*bytes)))
            && are_plain(u64::from_ne_bytes(*last));
    }
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        return are_plain(u64::from(u32::from_ne_bytes(*first)) << 32 | u64::from(u32::from_ne_bytes(*last)));
    }
    !name.is_empty() && name.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'#')
}

/// The same of eight bytes. In each of them the top bit stays clear, unless the byte, or one below it, is not plain.
#[inline]
const fn are_plain(bytes: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let below_space = bytes.wrapping_sub(ONES * b' ' as u64);
    let above_tilde = bytes.wrapping_add(ONES);
    let is_hash = (bytes ^ (ONES * b'#' as u64)).wrapping_sub(ONES);
    (bytes | below_space | above_tilde | is_hash) & (ONES << 7) == 0
}

#[cold]
fn check_unusual_text(what: &'static str, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    if let Some(character) = name.chars().find(|c| c.is_control() || *c == '#') {
        return Err(NameError::Character { what, name: name.to_owned(), character });
    }
    match name.chars().count() {
        len if len > MAX_NAME_CHARS => Err(NameError::TooLong { what, max: MAX_NAME_CHARS, len }),
        _ => Ok(()),
    }
}

#[inline]
fn check_entity_id(name: &str) -> Result<(), NameError> {
    check_free_text("entity id", name)
}

#[inline]
fn check_resource(name: &str) -> Result<(), NameError> {
    if name == Resource::DEFAULT {
        return Err(NameError::Reserved(name.to_owned()));
    }
    check_free_text("resource", name)
}

fn check_limit_name(name: &str) -> Result<(), NameError> {
    let mut bytes = name.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let goes_on_well = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if starts_well && goes_on_well && name.len() <= MAX_LIMIT_NAME_CHARS {
        Ok(())
    } else {
        Err(NameError::Limit(name.to_owned()))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(CompactString);

        impl $type {
            /// The name, if it is valid.
            #[inline(always)]
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
                let name = name.as_ref();
                $check(name)?;
                Ok(Self(CompactString::new(name)))
            }

            /// The name as a string.
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.0.as_str(), f)
            }
        }
    };
}

name! {
    /// Who consumes: an API key, a project, an organisation. 1–256 characters, no control characters, no `#`.
    EntityId, check_entity_id
}
name! {
    /// What is consumed, for example `gpt-4`. 1–256 characters, no control characters, no `#`, not `_default_`.
    Resource, check_resource
}
name! {
    /// The name of a limit, for example `rpm`: a letter, then at most 63 letters, digits, `_`, `.` or `-`.
    LimitName, check_limit_name
}

impl Resource {
    /// What stands for "any resource" where limits are stored for an entity as a whole.
    pub const DEFAULT: &'static str = "_default_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_ids_are_bounded_in_characters_not_bytes() {
        assert!(EntityId::new("ä".repeat(256)).is_ok());
        assert_eq!(
            EntityId::new("ä".repeat(257)),
            Err(NameError::TooLong { what: "entity id", max: 256, len: 257 })
        );
        assert!(EntityId::new("").is_err());
    }

    #[test]
    fn separators_and_control_characters_are_refused() {
        for bad in ["a#b", "a\nb", "a\0", "\u{85}", "\u{7f}"] {
            assert!(matches!(EntityId::new(bad), Err(NameError::Character { .. })), "{bad:?}");
            assert!(matches!(Resource::new(bad), Err(NameError::Character { .. })), "{bad:?}");
        }
        assert!(matches!(Resource::new("_default_"), Err(NameError::Reserved(_))));
    }

    #[test]
    fn every_byte_counts_wherever_it_is() {
        for len in 1..40 {
            for place in 0..len {
                for byte in 0..=u8::MAX {
                    let mut name = vec![b'a'; len];
                    name[place] = byte;
                    let is_plain_byte = (b' '..=b'~').contains(&byte) && byte != b'#';
                    assert_eq!(is_plain(&name), is_plain_byte, "{byte:#x} at {place} of {len}");
                }
            }
        }
    }

    #[test]
    fn limit_names_follow_their_pattern() {
        for good in ["rpm", "a", "Tokens.per-minute_2", &"x".repeat(64)] {
            assert!(LimitName::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "1rpm", "_x", "a b", "ä", "a=b", &"x".repeat(65)] {
            assert!(LimitName::new(bad).is_err(), "{bad:?}");
        }
    }
}
