//! Amounts by limit, as Python gives them.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString};
use smallvec::SmallVec;
use zae_limiter::LimitName;
use zae_limiter::core::amount::MAX_TOKENS;

/// Signed tokens by limit.
pub(crate) type Deltas = SmallVec<[(LimitName, i64); 2]>;
/// Tokens by limit.
pub(crate) type Tokens = SmallVec<[(LimitName, u64); 2]>;

/// The amounts as the limiter takes them.
pub(crate) fn borrowed(tokens: &Tokens) -> SmallVec<[(&str, u64); 2]> {
    tokens.iter().map(|(name, tokens)| (name.as_str(), *tokens)).collect()
}

/// Reads a mapping of limit names to tokens, none negative, given as `argument`.
pub(crate) fn tokens(argument: &str, given: &Bound<'_, PyAny>) -> PyResult<Tokens> {
    let deltas = deltas(argument, given)?;
    deltas
        .into_iter()
        .map(|(name, tokens)| match u64::try_from(tokens) {
            Ok(tokens) => Ok((name, tokens)),
            Err(_) => {
                Err(PyValueError::new_err(format!("{argument}[{:?}] must not be negative", name.as_str())))
            }
        })
        .collect()
}

/// Reads a mapping of limit names to tokens, given as `argument`.
pub(crate) fn deltas(argument: &str, given: &Bound<'_, PyAny>) -> PyResult<Deltas> {
    if let Ok(dict) = given.cast::<PyDict>() {
        return dict.iter().map(|(name, tokens)| delta(argument, &name, &tokens)).collect();
    }
    let wrong = |_| {
        let found = given.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("{argument} must be a mapping of limit names to tokens, not {found}"))
    };
    let items = given.call_method0("items").map_err(wrong)?;
    let pairs = items.try_iter().map_err(wrong)?.map(|item| {
        let (name, tokens): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
        delta(argument, &name, &tokens)
    });
    pairs.collect()
}

fn delta(argument: &str, name: &Bound<'_, PyAny>, tokens: &Bound<'_, PyAny>) -> PyResult<(LimitName, i64)> {
    let type_of =
        |value: &Bound<'_, PyAny>| value.get_type().name().map_or_else(|_| "?".to_owned(), |n| n.to_string());
    let Ok(text) = name.cast::<PyString>() else {
        let message = format!("the keys of {argument} must be limit names (str), not {}", type_of(name));
        return Err(PyTypeError::new_err(message));
    };
    let text = text.to_str()?;
    if !tokens.is_instance_of::<PyInt>() {
        let message = format!("{argument}[{text:?}] must be an int, not {}", type_of(tokens));
        return Err(PyTypeError::new_err(message));
    }
    let most = i64::try_from(MAX_TOKENS).unwrap_or(i64::MAX);
    let tokens = tokens.extract::<i64>().ok().filter(|tokens| (-most..=most).contains(tokens));
    let Some(tokens) = tokens else {
        let message = format!("{argument}[{text:?}] must be at most {MAX_TOKENS} tokens either way");
        return Err(PyValueError::new_err(message));
    };
    let name = LimitName::new(text).map_err(|error| PyValueError::new_err(format!("{argument}: {error}")))?;
    Ok((name, tokens))
}
