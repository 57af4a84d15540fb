//! The contender `dynamic`: the same graph, built at the start from descriptors, on libraries that exist.
//!
//! async-graphql's dynamic schema resolves, its DataLoader joins, prost-reflect decodes, tonic calls.
//! It is written to be as fast as these allow: nested messages are borrowed from their parents, what
//! leads to a value is looked up when the schema is built, plain fields need no future, a loader lives
//! as long as one request and its calls start when the operation waits for them. What it may serve is a table, so that nothing is spent on options.

mod call;
mod drive;
mod graph;
mod load;
mod value;

use std::io;
use std::sync::Arc;

use async_graphql::Request;
use async_graphql::dynamic::{Schema, SchemaError};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use prost_reflect::{DescriptorError, DescriptorPool};
use tokio::net::TcpListener;
use tonic::transport::Channel;

use self::drive::Calls;
use self::load::{Loaders, Lookup};
use crate::SERVICES;

/// Why there is no schema: the table below and the protos contradict each other.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("reading the descriptors")]
    Descriptors(#[from] DescriptorError),
    #[error("the descriptors have no {0}")]
    Missing(String),
    #[error("building the schema")]
    Schema(#[from] SchemaError),
}

/// A field of Query: its name, the method that answers it, and the response's field to return instead
/// of the response.
struct Root {
    field: &'static str,
    method: &'static str,
    unwrap: Option<&'static str>,
}

/// A method that loads entities by their `ids`, and the response's field that holds them.
struct Batch {
    entity: &'static str,
    method: &'static str,
    items: &'static str,
}

/// A field that leads from a message to an entity, by the field that holds the entity's key.
struct Edge {
    message: &'static str,
    key: &'static str,
    field: &'static str,
    entity: &'static str,
}

const ROOTS: [Root; 5] = [
    Root { field: "user", method: "bench.v1.BenchService.GetUser", unwrap: None },
    Root { field: "posts", method: "bench.v1.BenchService.ListPosts", unwrap: Some("posts") },
    Root { field: "articles", method: "bench.v1.BenchService.ListArticles", unwrap: Some("articles") },
    Root { field: "readings", method: "bench.v1.BenchService.ListReadings", unwrap: Some("readings") },
    Root { field: "timetable", method: "bench.v1.BenchService.GetTimetable", unwrap: None },
];

const BATCHES: [Batch; 3] = [
    Batch { entity: "bench.v1.User", method: "bench.v1.BenchService.BatchGetUsers", items: "users" },
    Batch { entity: "people.v1.Person", method: "people.v1.PeopleService.BatchGetPeople", items: "people" },
    Batch {
        entity: "places.v1.Company",
        method: "places.v1.PlacesService.BatchGetCompanies",
        items: "companies",
    },
];

const EDGES: [Edge; 4] = [
    Edge { message: "bench.v1.Post", key: "user_id", field: "user", entity: "bench.v1.User" },
    Edge { message: "bench.v1.Article", key: "author_id", field: "author", entity: "people.v1.Person" },
    Edge { message: "bench.v1.Article", key: "editor_id", field: "editor", entity: "people.v1.Person" },
    Edge { message: "people.v1.Person", key: "company_id", field: "company", entity: "places.v1.Company" },
];

/// Serves `/graphql` from the upstream behind `channel` until the listener fails.
pub async fn serve(listener: TcpListener, channel: Channel) -> io::Result<()> {
    let pool = pool().map_err(io::Error::other)?;
    let lookups = BATCHES.iter().map(|batch| Lookup::new(&pool, batch)).collect::<Result<_, _>>();
    let gateway = Gateway {
        schema: graph::schema(&pool, &channel).map_err(io::Error::other)?,
        lookups: lookups.map_err(io::Error::other)?,
        channel,
    };
    let router = Router::new().route("/graphql", post(answer)).with_state(Arc::new(gateway));
    let listener = listener.tap_io(|stream| {
        // Without it the kernel may wait for more to send; failing to set it only costs latency.
        let _kept = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

struct Gateway {
    schema: Schema,
    lookups: Arc<[Lookup]>,
    channel: Channel,
}

async fn answer(State(gateway): State<Arc<Gateway>>, Json(request): Json<Request>) -> Response {
    let calls = Calls::default();
    let loaders = Loaders::new(&gateway.lookups, &gateway.channel, &calls);
    Json(drive::run(gateway.schema.execute(request.data(loaders)), calls).await).into_response()
}

/// All three services in one pool: their names do not clash.
fn pool() -> Result<DescriptorPool, Error> {
    let mut pool = DescriptorPool::new();
    for service in &SERVICES {
        pool.decode_file_descriptor_set(service.descriptors)?;
    }
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_schema_has_joins_ids_and_names_of_enums() {
        let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let sdl = graph::schema(&pool().unwrap(), &channel).unwrap().sdl();
        let said =
            ["user(id: ID!): User", "author: Person", "company: Company", "TEMPERATURE", "wheels: Int64!"];
        for said in said {
            assert!(sdl.contains(said), "{said} is not in\n{sdl}");
        }
    }
}
