//! Whose bucket on which resource, in one string.

use std::hash::{BuildHasher, Hasher};

use compact_str::CompactString;
use zae_limiter_core::{EntityId, Resource};

/// An entity id and a resource, joined by the `#` that neither can contain: one short string lies in the table
/// itself, where two would double the size of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(CompactString);

impl Key {
    pub(super) fn new(entity: &EntityId, resource: &Resource) -> Self {
        let (entity, resource) = (entity.as_str(), resource.as_str());
        let mut key = CompactString::with_capacity(entity.len() + 1 + resource.len());
        key.push_str(entity);
        key.push('#');
        key.push_str(resource);
        Self(key)
    }

    #[inline]
    pub(super) fn is(&self, entity: &EntityId, resource: &Resource) -> bool {
        let (key, entity, resource) =
            (self.0.as_bytes(), entity.as_str().as_bytes(), resource.as_str().as_bytes());
        // A `#` at this place separates the parts: neither of them has one.
        key.len() == entity.len() + 1 + resource.len()
            && key[entity.len()] == b'#'
            && key.starts_with(entity)
            && key.ends_with(resource)
    }

    pub(super) fn is_of(&self, entity: &EntityId) -> bool {
        self.parts().0 == entity.as_str()
    }

    pub(super) fn is_on(&self, resource: &Resource) -> bool {
        self.parts().1 == resource.as_str()
    }

    /// The entity id and the resource that this key was made of.
    pub(super) fn names(&self) -> Option<(EntityId, Resource)> {
        let (entity, resource) = self.parts();
        // Both were valid when the key was made of them.
        EntityId::new(entity).ok().zip(Resource::new(resource).ok())
    }

    pub(super) fn hash(&self, hasher: &impl BuildHasher) -> u64 {
        let (entity, resource) = self.parts();
        hash_parts(hasher, entity, resource)
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('#').unwrap_or((&self.0, ""))
    }
}

#[inline]
pub(super) fn hash(hasher: &impl BuildHasher, entity: &EntityId, resource: &Resource) -> u64 {
    hash_parts(hasher, entity.as_str(), resource.as_str())
}

#[inline]
fn hash_parts(hasher: &impl BuildHasher, entity: &str, resource: &str) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(entity.as_bytes());
    state.write(resource.as_bytes());
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_parts_apart_wherever_they_meet() {
        let entity = |id| EntityId::new(id).unwrap();
        let resource = |name| Resource::new(name).unwrap();
        let key = Key::new(&entity("a b"), &resource("c"));
        assert!(
            key.is(&entity("a b"), &resource("c")) && key.is_of(&entity("a b")) && key.is_on(&resource("c"))
        );
        assert!(
            !key.is(&entity("a"), &resource("b c"))
                && !key.is_of(&entity("a"))
                && !key.is_on(&resource("b c"))
        );
        assert_eq!(key.names(), Some((entity("a b"), resource("c"))));
        let hasher = foldhash::fast::RandomState::default();
        assert_eq!(key.hash(&hasher), hash(&hasher, &entity("a b"), &resource("c")));
    }
}
