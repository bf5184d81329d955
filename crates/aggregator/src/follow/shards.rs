//! Which shards may be read: those whose parents have been.

use std::collections::{BTreeMap, BTreeSet};

/// A shard as the stream tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its id.
    pub id: String,
    /// The one that it goes on from.
    pub parent: Option<String>,
}

/// The shards of a stream, and how far each has come.
#[derive(Debug, Default)]
pub(super) struct Shards {
    known: BTreeMap<String, Option<String>>,
    done: BTreeSet<String>,
    reading: BTreeSet<String>,
}

impl Shards {
    /// Shards of which some have been read before.
    pub(super) fn new(done: impl IntoIterator<Item = String>) -> Self {
        Self { done: done.into_iter().collect(), ..Self::default() }
    }

    /// Takes over what the stream tells now. Shards that it does not tell of any more are forgotten, as are those that
    /// were before them.
    pub(super) fn learn(&mut self, told: Vec<Shard>) {
        self.known = told.into_iter().map(|shard| (shard.id, shard.parent)).collect();
    }

    /// Those to start with now; each is told once.
    pub(super) fn start(&mut self) -> Vec<String> {
        let ready = |(id, parent): &(&String, &Option<String>)| {
            // A parent that the stream does not tell of has been trimmed.
            let parent_is_through = parent
                .as_ref()
                .is_none_or(|parent| self.done.contains(parent) || !self.known.contains_key(parent));
            !self.done.contains(*id) && !self.reading.contains(*id) && parent_is_through
        };
        let ready: Vec<String> = self.known.iter().filter(ready).map(|(id, _)| id.clone()).collect();
        self.reading.extend(ready.iter().cloned());
        ready
    }

    /// One has been read to its end.
    pub(super) fn finish(&mut self, id: &str) {
        self.reading.remove(id);
        self.done.insert(id.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parent: Option<&str>) -> Shard {
        Shard { id: id.to_owned(), parent: parent.map(str::to_owned) }
    }

    #[test]
    fn children_wait_for_their_parents() {
        let mut shards = Shards::default();
        let all =
            || vec![shard("a", None), shard("b", Some("a")), shard("c", Some("a")), shard("d", Some("b"))];
        shards.learn(all());
        assert_eq!(shards.start(), ["a"]);
        assert_eq!(shards.start(), [""; 0], "it is being read");
        shards.finish("a");
        shards.learn(all());
        assert_eq!(shards.start(), ["b", "c"]);
        shards.finish("c");
        assert_eq!(shards.start(), [""; 0]);
        shards.finish("b");
        assert_eq!(shards.start(), ["d"]);
    }

    #[test]
    fn a_parent_that_is_trimmed_is_not_waited_for() {
        let mut shards = Shards::new(["b".to_owned()]);
        shards.learn(vec![shard("b", Some("a")), shard("c", Some("b")), shard("d", Some("x"))]);
        assert_eq!(shards.start(), ["c", "d"]);
    }
}
