//! Amounts by name, laid out as a store takes them.

use zae_limiter_core::amount::MAX_TOKENS;
use zae_limiter_core::{Amounts, Level, LimitSet, Millitokens};

use crate::RequestError;

/// Appends the amounts of `consume` (tokens by limit), laid out for every limit of every level; the first level is the
/// entity's own. Each name has to be a limit of that one; ancestors take the amounts of the limits that they have.
#[inline(always)]
pub(crate) fn lay_out(
    levels: &[Level],
    consume: &[(&str, u64)],
    amounts: &mut Amounts,
) -> Result<(), RequestError> {
    let Some((own, ancestors)) = levels.split_first() else { return Ok(()) };
    let named = lay_out_level(&own.limits, consume, amounts);
    if named != consume.len() {
        check_amounts(&own.limits, consume)?;
    }
    for level in ancestors {
        lay_out_level(&level.limits, consume, amounts);
    }
    Ok(())
}

/// Appends one amount for each of `limits`, and says for how many of them there was one that is valid.
#[inline(always)]
fn lay_out_level(limits: &LimitSet, consume: &[(&str, u64)], amounts: &mut Amounts) -> usize {
    let mut named = 0;
    for (place, limit) in limits.iter().enumerate() {
        let tokens = tokens_for(limit.name().as_str(), consume, place).filter(|tokens| *tokens <= MAX_TOKENS);
        named += usize::from(tokens.is_some());
        amounts.push(tokens.map_or(Millitokens::ZERO, whole));
    }
    named
}

/// Tokens, of which there are not too many, in thousandths.
fn whole(tokens: u64) -> Millitokens {
    Millitokens::from_tokens(i64::try_from(tokens).unwrap_or(i64::MAX))
}

/// What `consume` asks of the limit called `name`: most often at the place `hint` that the limit has in its set.
#[inline(always)]
fn tokens_for(name: &str, consume: &[(&str, u64)], hint: usize) -> Option<u64> {
    match consume.get(hint) {
        Some((named, tokens)) if *named == name => Some(*tokens),
        _ => consume.iter().find(|(named, _)| *named == name).map(|(_, tokens)| *tokens),
    }
}

/// Says what is wrong with amounts.
#[cold]
fn check_amounts(limits: &LimitSet, consume: &[(&str, u64)]) -> Result<(), RequestError> {
    for (i, (name, tokens)) in consume.iter().enumerate() {
        if limits.position(name).is_none() {
            return Err(unknown_limit(limits, name));
        }
        if consume[..i].iter().any(|(earlier, _)| earlier == name) {
            return Err(RequestError::RepeatedAmount((*name).to_owned()));
        }
        if *tokens > MAX_TOKENS {
            return Err(RequestError::AmountTooLarge((*name).to_owned()));
        }
    }
    Ok(())
}

pub(crate) fn unknown_limit(limits: &LimitSet, name: &str) -> RequestError {
    let known = limits.iter().map(|limit| limit.name().clone()).collect();
    RequestError::UnknownLimit { name: name.to_owned(), known }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EntityId, Resource};

    fn levels(sets: &[&str]) -> Vec<Level> {
        let level = |(i, limits): (usize, &&str)| Level {
            entity_id: EntityId::new(format!("e{i}")).unwrap(),
            resource: Resource::new("r").unwrap(),
            limits: limits.parse().unwrap(),
        };
        sets.iter().enumerate().map(level).collect()
    }

    fn tokens(levels: &[Level], consume: &[(&str, u64)]) -> Vec<i64> {
        let mut amounts = Amounts::new();
        lay_out(levels, consume, &mut amounts).unwrap();
        amounts.iter().map(|amount| amount.whole_tokens()).collect()
    }

    #[test]
    fn amounts_go_to_the_limits_of_their_name_in_any_order() {
        let levels = levels(&["rpm=10/min,tpm=10/min", "tpm=10/min", "day=10/day,rpm=10/min"]);
        assert_eq!(tokens(&levels, &[("rpm", 1), ("tpm", 2)]), [1, 2, 2, 0, 1]);
        assert_eq!(tokens(&levels, &[("tpm", 2), ("rpm", 1)]), [1, 2, 2, 0, 1]);
        assert_eq!(tokens(&levels, &[("tpm", 2)]), [0, 2, 2, 0, 0]);
    }

    #[test]
    fn wrong_amounts_are_told_apart() {
        let levels = levels(&["rpm=10/min,tpm=10/min", "day=10/day"]);
        let error = |consume: &[(&str, u64)]| lay_out(&levels, consume, &mut Amounts::new()).unwrap_err();
        assert!(matches!(error(&[("day", 1)]), RequestError::UnknownLimit { name, .. } if name == "day"));
        assert!(
            matches!(error(&[("rpm", 1), ("rpm", 1)]), RequestError::RepeatedAmount(name) if name == "rpm")
        );
        let too_many = MAX_TOKENS + 1;
        assert!(matches!(error(&[("tpm", too_many)]), RequestError::AmountTooLarge(name) if name == "tpm"));
        assert!(lay_out(&levels, &[("tpm", MAX_TOKENS)], &mut Amounts::new()).is_ok());
    }
}
