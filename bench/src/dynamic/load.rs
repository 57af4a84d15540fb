//! The join: keys that one request asks for, loaded with one call for each entity and wave.
//!
//! Nothing is batched or kept across requests: a loader belongs to one. It waits for no timer; `drive`
//! starts its calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Value};
use tonic::Status;
use tonic::transport::Channel;

use super::call::Method;
use super::drive::Calls;
use super::{BATCHES, Batch, Error};

/// How the entities of one kind are loaded.
#[derive(Clone)]
pub(super) struct Lookup {
    method: Method,
    /// The request's field for keys.
    ids: FieldDescriptor,
    /// The response's field with the entities.
    items: FieldDescriptor,
    /// The entity's own key.
    id: FieldDescriptor,
}

impl Lookup {
    pub(super) fn new(pool: &DescriptorPool, batch: &Batch) -> Result<Self, Error> {
        let missing = |name: &str| Error::Missing(name.to_owned());
        let method = Method::find(pool, batch.method)?;
        let entity = pool.get_message_by_name(batch.entity).ok_or_else(|| missing(batch.entity))?;
        Ok(Self {
            ids: method.input.get_field_by_name("ids").ok_or_else(|| missing("ids"))?,
            items: method.output.get_field_by_name(batch.items).ok_or_else(|| missing(batch.items))?,
            id: entity.get_field_by_name("id").ok_or_else(|| missing("id"))?,
            method,
        })
    }
}

/// The loaders of one request, one for each entity.
pub(super) struct Loaders([DataLoader<Entities, HashMapCache>; BATCHES.len()]);

impl Loaders {
    pub(super) fn new(lookups: &Arc<[Lookup]>, channel: &Channel, calls: &Calls) -> Self {
        Self(std::array::from_fn(|which| {
            let entities = Entities { lookups: Arc::clone(lookups), which, channel: channel.clone() };
            let calls = calls.clone();
            let start = move |call| calls.push(call);
            DataLoader::with_cache(entities, start, HashMapCache::default()).delay(Duration::ZERO)
        }))
    }

    /// The entity with this key, of the kind at this place of the table.
    pub(super) async fn load(&self, which: usize, id: i64) -> Result<Option<Arc<DynamicMessage>>, Status> {
        self.0[which].load_one(id).await
    }
}

struct Entities {
    lookups: Arc<[Lookup]>,
    which: usize,
    channel: Channel,
}

impl Loader<i64> for Entities {
    type Value = Arc<DynamicMessage>;
    type Error = Status;

    async fn load(&self, keys: &[i64]) -> Result<HashMap<i64, Arc<DynamicMessage>>, Status> {
        let Lookup { method, ids, items, id } = &self.lookups[self.which];
        let mut request = DynamicMessage::new(method.input.clone());
        request.set_field(ids, Value::List(keys.iter().copied().map(Value::I64).collect()));
        let mut answer = method.call(self.channel.clone(), request).await?;
        let Some(Value::List(found)) = answer.take_field(items) else { return Ok(HashMap::new()) };
        let entry = |item| {
            let Value::Message(entity) = item else { return None };
            let key = entity.get_field(id).as_i64()?;
            Some((key, Arc::new(entity)))
        };
        Ok(found.into_iter().filter_map(entry).collect())
    }
}
