//! LIMIT: the three questions answered by hand, the mark that an engine is measured against.
//!
//! It is what a good engineer would write without GraphQL: axum, a tonic client, prost messages,
//! serde views of the selected fields, one batch call for the distinct users of a list. It takes the
//! body that a GraphQL client sends and reads its variables, but never looks at the query: each path
//! answers one question. Defaults everywhere, no tuning that a user would not do.

use std::collections::{HashMap, HashSet};
use std::io;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
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

/// What a GraphQL client sends; query and operation name are skipped unread.
#[derive(Deserialize)]
struct Asked<V> {
    variables: Option<V>,
}

#[derive(Deserialize)]
struct UserVariables {
    id: Option<String>,
}

#[derive(Deserialize)]
struct PostsVariables {
    limit: Option<i32>,
}

impl Asked<UserVariables> {
    /// The variable, or what the question's text says.
    fn id(self) -> String {
        self.variables.and_then(|variables| variables.id).unwrap_or_else(|| "1".to_owned())
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
    id: &'a str,
    name: &'a str,
    email: &'a str,
}

#[derive(Serialize)]
struct PostView<'a> {
    id: &'a str,
    title: &'a str,
    body: &'a str,
}

#[derive(Serialize)]
struct JoinedPostView<'a> {
    id: &'a str,
    title: &'a str,
    user: Option<UserView<'a>>,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self { id: &user.id, name: &user.name, email: &user.email }
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
        found.iter().map(|post| PostView { id: &post.id, title: &post.title, body: &post.body }).collect();
    Ok(Json(Answer { data: PostsData { posts } }).into_response())
}

async fn posts_with_users(
    State(mut client): State<Client>,
    Json(asked): Json<Asked<PostsVariables>>,
) -> Result<Response, Failed> {
    let found = list(&mut client, asked.limit()).await?;
    let ids: HashSet<&str> = found.iter().map(|post| post.user_id.as_str()).collect();
    let request = BatchGetUsersRequest { ids: ids.into_iter().map(str::to_owned).collect() };
    let users = client.batch_get_users(request).await?.into_inner().users;
    let by_id: HashMap<&str, UserView<'_>> =
        users.iter().map(|user| (user.id.as_str(), UserView::from(user))).collect();

    let posts = found
        .iter()
        .map(|post| JoinedPostView {
            id: &post.id,
            title: &post.title,
            user: by_id.get(post.user_id.as_str()).copied(),
        })
        .collect();
    Ok(Json(Answer { data: PostsData { posts } }).into_response())
}

async fn list(client: &mut Client, limit: i32) -> Result<Vec<Post>, Status> {
    Ok(client.list_posts(ListPostsRequest { limit }).await?.into_inner().posts)
}
