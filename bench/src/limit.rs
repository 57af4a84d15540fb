//! LIMIT: the three questions answered by hand, the mark that an engine is measured against.
//!
//! It is what a good engineer would write without GraphQL: axum, a tonic client, prost messages,
//! serde views of the selected fields, one batch call for the distinct users of a list. It takes the
//! body that a GraphQL client sends and reads its variables, but never looks at the query: each path
//! answers one question. Defaults everywhere, no tuning that a user would not do.

use std::collections::{HashMap, HashSet};
use std::io;
use std::num::ParseIntError;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::{Deserialize, Serialize, Serializer};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::Channel;

use crate::wire::v1::bench_service_client::BenchServiceClient;
use crate::wire::v1::{BatchGetUsersRequest, GetUserRequest, ListPostsRequest, Post, User};

type Client = BenchServiceClient<Channel>;

/// Serves `/q1`, `/q2` and `/q3` from the upstream behind `channel` until the listener fails.
pub async fn serve(listener: TcpListener, channel: Channel) -> io::Result<()> {
    let router = Router::new()
        .route("/q1", post(user))
        .route("/q2", post(posts))
        .route("/q3", post(posts_with_users))
        .with_state(Client::new(channel));
    let listener = listener.tap_io(|stream| {
        // Without it the kernel may wait for more to send; failing to set it only costs latency.
        let _kept = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

/// GraphQL's ID: text outside, a number inside.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Id(i64);

impl TryFrom<String> for Id {
    type Error = ParseIntError;

    fn try_from(text: String) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What a GraphQL client sends; query and operation name are skipped unread.
#[derive(Deserialize)]
struct Asked<V> {
    variables: Option<V>,
}

#[derive(Deserialize)]
struct UserVariables {
    id: Option<Id>,
}

#[derive(Deserialize)]
struct PostsVariables {
    limit: Option<i32>,
}

impl Asked<UserVariables> {
    /// The variable, or what the question's text says.
    fn id(&self) -> i64 {
        self.variables.as_ref().and_then(|variables| variables.id).map_or(1, |id| id.0)
    }
}

impl Asked<PostsVariables> {
    /// The variable, or what the question's text says.
    fn limit(&self) -> i32 {
        self.variables.as_ref().and_then(|variables| variables.limit).unwrap_or(100)
    }
}

#[derive(Serialize)]
struct Answer<T> {
    data: T,
}

#[derive(Serialize)]
struct UserData<'a> {
    user: UserView<'a>,
}

#[derive(Serialize)]
struct PostsData<P> {
    posts: Vec<P>,
}

#[derive(Serialize, Clone, Copy)]
struct UserView<'a> {
    id: Id,
    name: &'a str,
    email: &'a str,
}

#[derive(Serialize)]
struct PostView<'a> {
    id: Id,
    title: &'a str,
    body: &'a str,
}

#[derive(Serialize)]
struct JoinedPostView<'a> {
    id: Id,
    title: &'a str,
    user: Option<UserView<'a>>,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self { id: Id(user.id), name: &user.name, email: &user.email }
    }
}

/// A failed call, as a GraphQL answer.
struct Failed(Status);

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let error = serde_json::json!({ "message": self.0.message() });
        Json(serde_json::json!({ "errors": [error], "data": null })).into_response()
    }
}

async fn user(
    State(mut client): State<Client>,
    Json(asked): Json<Asked<UserVariables>>,
) -> Result<Response, Failed> {
    let user = client.get_user(GetUserRequest { id: asked.id() }).await?.into_inner();
    Ok(Json(Answer { data: UserData { user: UserView::from(&user) } }).into_response())
}

async fn posts(
    State(mut client): State<Client>,
    Json(asked): Json<Asked<PostsVariables>>,
) -> Result<Response, Failed> {
    let found = list(&mut client, asked.limit()).await?;
    let posts =
        found.iter().map(|post| PostView { id: Id(post.id), title: &post.title, body: &post.body }).collect();
    Ok(Json(Answer { data: PostsData { posts } }).into_response())
}

async fn posts_with_users(
    State(mut client): State<Client>,
    Json(asked): Json<Asked<PostsVariables>>,
) -> Result<Response, Failed> {
    let found = list(&mut client, asked.limit()).await?;
    let ids: HashSet<i64> = found.iter().map(|post| post.user_id).collect();
    let request = BatchGetUsersRequest { ids: ids.into_iter().collect() };
    let users = client.batch_get_users(request).await?.into_inner().users;
    let by_id: HashMap<i64, UserView<'_>> =
        users.iter().map(|user| (user.id, UserView::from(user))).collect();

    let posts = found
        .iter()
        .map(|post| JoinedPostView {
            id: Id(post.id),
            title: &post.title,
            user: by_id.get(&post.user_id).copied(),
        })
        .collect();
    Ok(Json(Answer { data: PostsData { posts } }).into_response())
}

async fn list(client: &mut Client, limit: i32) -> Result<Vec<Post>, Status> {
    Ok(client.list_posts(ListPostsRequest { limit }).await?.into_inner().posts)
}
