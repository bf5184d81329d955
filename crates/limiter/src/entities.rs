//! Records of entities.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use zae_limiter_core::entity::MAX_ANCESTORS;
use zae_limiter_core::{Entity, EntityError, EntityId};

use crate::{Error, Limiter};

/// A call that makes the record of an entity: `.await` it, or [`wait`](crate::Block::wait) for it.
#[derive(Debug)]
#[must_use = "nothing is created until this is awaited or waited for"]
pub struct CreateEntity<'a> {
    limiter: &'a Limiter,
    id: &'a str,
    name: Option<&'a str>,
    parent: Option<&'a str>,
    metadata: BTreeMap<String, String>,
}

impl<'a> CreateEntity<'a> {
    /// A name for people; the id if none is given.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = Some(name);
        self
    }

    /// The entity above, from which cascading acquires also take. It may be created later.
    pub const fn parent(mut self, parent: &'a str) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Whatever else is to be remembered.
    pub fn metadata(mut self, metadata: BTreeMap<String, String>) -> Self {
        self.metadata = metadata;
        self
    }

    async fn create(self) -> Result<Entity, Error> {
        let id = EntityId::new(self.id)?;
        let mut entity = Entity::new(id.clone(), self.limiter.0.clock.now()).with_metadata(self.metadata);
        if let Some(name) = self.name {
            entity = entity.with_name(name);
        }
        if let Some(parent) = self.parent {
            let parent = EntityId::new(parent)?;
            self.limiter.check_place(&id, &parent).await?;
            entity = entity.with_parent(parent);
        }
        let _forget = self.limiter.0.resolver.forget_entity(&id);
        self.limiter.0.store.create_entity(&entity).await?;
        Ok(entity)
    }
}

impl<'a> IntoFuture for CreateEntity<'a> {
    type Output = Result<Entity, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

impl Limiter {
    /// Makes a record of an entity. Limits apply to ids without a record too; a record adds a parent.
    ///
    /// ```
    /// # use zae_limiter::{Block, Limiter};
    /// # let limiter = Limiter::open("memory:").wait().unwrap();
    /// limiter.create_entity("project-1").name("Search").wait().unwrap();
    /// limiter.create_entity("key-1").parent("project-1").wait().unwrap();
    /// assert_eq!(limiter.children("project-1").wait().unwrap().len(), 1);
    /// ```
    pub fn create_entity<'a>(&'a self, id: &'a str) -> CreateEntity<'a> {
        CreateEntity { limiter: self, id, name: None, parent: None, metadata: BTreeMap::new() }
    }

    /// The record of an entity, if there is one.
    pub async fn entity(&self, id: &str) -> Result<Option<Entity>, Error> {
        Ok(self.0.store.entity(&EntityId::new(id)?).await?)
    }

    /// All entities that have a record, by id.
    pub async fn entities(&self) -> Result<Vec<Entity>, Error> {
        Ok(self.0.store.entities().await?)
    }

    /// The entities directly below `parent`, by id.
    pub async fn children(&self, parent: &str) -> Result<Vec<Entity>, Error> {
        Ok(self.0.store.children(&EntityId::new(parent)?).await?)
    }

    /// Deletes an entity with its buckets, stored limits and usage. Its children stay, without it above them.
    pub async fn delete_entity(&self, id: &str) -> Result<(), Error> {
        let id = EntityId::new(id)?;
        let _forget = self.0.resolver.forget_entity(&id);
        Ok(self.0.store.delete_entity(&id).await?)
    }

    /// Whether `id` may stand below `parent`: no cycle, not too deep.
    async fn check_place(&self, id: &EntityId, parent: &EntityId) -> Result<(), Error> {
        let mut above = Some(parent.clone());
        for _ in 0..MAX_ANCESTORS {
            let Some(ancestor) = above else { return Ok(()) };
            if ancestor == *id {
                return Err(EntityError::Cycle(id.clone()).into());
            }
            above = self.0.store.entity(&ancestor).await?.and_then(|entity| entity.parent_id);
        }
        match above {
            Some(ancestor) if ancestor == *id => Err(EntityError::Cycle(id.clone()).into()),
            Some(_) => Err(EntityError::TooDeep(id.clone()).into()),
            None => Ok(()),
        }
    }
}
