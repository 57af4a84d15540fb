//! LIMIT: the questions answered by hand, the mark that an engine is measured against.
//!
//! It is what a good engineer would write without GraphQL: axum, tonic clients, prost messages, serde
//! views of the selected fields, one batch call for the distinct entities of a list. It takes the
//! body that a GraphQL client sends and reads its variables, but never looks at the query: each path
//! answers one question. Defaults everywhere, no tuning that a user would not do.

mod view;

use std::collections::{HashMap, HashSet};
use std::io;
use std::num::ParseIntError;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::Channel;

use self::view::{
    ArticleView, CompanyView, JoinedPostView, PersonView, PostView, ReadingView, TimetableView, UserView,
};
use crate::wire::bench::bench_service_client::BenchServiceClient;
use crate::wire::bench::{
    BatchGetUsersRequest, GetTimetableRequest, GetUserRequest, ListArticlesRequest, ListPostsRequest,
    ListReadingsRequest, Post,
};
use crate::wire::people::BatchGetPeopleRequest;
use crate::wire::people::people_service_client::PeopleServiceClient;
use crate::wire::places::BatchGetCompaniesRequest;
use crate::wire::places::places_service_client::PlacesServiceClient;

/// A client for each service; cloning one is cheap.
#[derive(Clone)]
struct Clients {
    bench: BenchServiceClient<Channel>,
    people: PeopleServiceClient<Channel>,
    places: PlacesServiceClient<Channel>,
}

/// Serves `/q1` to `/q6` from the upstream behind `channel` until the listener fails.
pub async fn serve(listener: TcpListener, channel: Channel) -> io::Result<()> {
    let router = Router::new()
        .route("/q1", post(user))
        .route("/q2", post(posts))
        .route("/q3", post(posts_with_users))
        .route("/q4", post(articles))
        .route("/q5", post(readings))
        .route("/q6", post(timetable))
        .with_state(Clients {
            bench: BenchServiceClient::new(channel.clone()),
            people: PeopleServiceClient::new(channel.clone()),
            places: PlacesServiceClient::new(channel),
        });
    let listener = listener.tap_io(|stream| {
        // Without it the kernel may wait for more to send; failing to set it only costs latency.
        let _kept = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

/// GraphQL's ID as clients send it: a number in a text.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Id(i64);

impl TryFrom<String> for Id {
    type Error = ParseIntError;

    fn try_from(text: String) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// What a GraphQL client sends; query and operation name are skipped unread.
#[derive(Deserialize)]
struct Asked<V> {
    variables: Option<V>,
}

#[derive(Deserialize)]
struct IdVariables {
    id: Option<Id>,
}

#[derive(Deserialize)]
struct LimitVariables {
    limit: Option<i32>,
}

impl Asked<IdVariables> {
    /// The variable, or what the question's text says.
    fn id(&self) -> i64 {
        self.variables.as_ref().and_then(|variables| variables.id).map_or(1, |id| id.0)
    }
}

impl Asked<LimitVariables> {
    /// The variable, or what the question's text says.
    fn limit_or(&self, text: i32) -> i32 {
        self.variables.as_ref().and_then(|variables| variables.limit).unwrap_or(text)
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

#[derive(Serialize)]
struct ArticlesData<'a> {
    articles: Vec<ArticleView<'a>>,
}

#[derive(Serialize)]
struct ReadingsData<'a> {
    readings: Vec<ReadingView<'a>>,
}

#[derive(Serialize)]
struct TimetableData<'a> {
    timetable: TimetableView<'a>,
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
    State(mut clients): State<Clients>,
    Json(asked): Json<Asked<IdVariables>>,
) -> Result<Response, Failed> {
    let user = clients.bench.get_user(GetUserRequest { id: asked.id() }).await?.into_inner();
    Ok(Json(Answer { data: UserData { user: UserView::from(&user) } }).into_response())
}

async fn posts(
    State(mut clients): State<Clients>,
    Json(asked): Json<Asked<LimitVariables>>,
) -> Result<Response, Failed> {
    let found = list(&mut clients, asked.limit_or(100)).await?;
    let posts = found.iter().map(PostView::from).collect();
    Ok(Json(Answer { data: PostsData { posts } }).into_response())
}

async fn posts_with_users(
    State(mut clients): State<Clients>,
    Json(asked): Json<Asked<LimitVariables>>,
) -> Result<Response, Failed> {
    let found = list(&mut clients, asked.limit_or(100)).await?;
    let ids: HashSet<i64> = found.iter().map(|post| post.user_id).collect();
    let request = BatchGetUsersRequest { ids: ids.into_iter().collect() };
    let users = clients.bench.batch_get_users(request).await?.into_inner().users;
    let by_id: HashMap<i64, UserView<'_>> =
        users.iter().map(|user| (user.id, UserView::from(user))).collect();

    let join = |post| JoinedPostView::new(post, &by_id);
    let posts = found.iter().map(join).collect();
    Ok(Json(Answer { data: PostsData { posts } }).into_response())
}

async fn articles(
    State(mut clients): State<Clients>,
    Json(asked): Json<Asked<LimitVariables>>,
) -> Result<Response, Failed> {
    let request = ListArticlesRequest { limit: asked.limit_or(50) };
    let found = clients.bench.list_articles(request).await?.into_inner().articles;

    let ids: HashSet<i64> = found.iter().flat_map(|article| [article.author_id, article.editor_id]).collect();
    let request = BatchGetPeopleRequest { ids: ids.into_iter().collect() };
    let people = clients.people.batch_get_people(request).await?.into_inner().people;

    let ids: HashSet<i64> = people.iter().map(|person| person.company_id).collect();
    let request = BatchGetCompaniesRequest { ids: ids.into_iter().collect() };
    let companies = clients.places.batch_get_companies(request).await?.into_inner().companies;

    let companies: HashMap<i64, CompanyView<'_>> =
        companies.iter().map(|company| (company.id, CompanyView::from(company))).collect();
    let people: HashMap<i64, PersonView<'_>> =
        people.iter().map(|person| (person.id, PersonView::new(person, &companies))).collect();
    let articles = found.iter().map(|article| ArticleView::new(article, &people)).collect();
    Ok(Json(Answer { data: ArticlesData { articles } }).into_response())
}

async fn readings(
    State(mut clients): State<Clients>,
    Json(asked): Json<Asked<LimitVariables>>,
) -> Result<Response, Failed> {
    let request = ListReadingsRequest { limit: asked.limit_or(1_000) };
    let found = clients.bench.list_readings(request).await?.into_inner().readings;
    let readings = found.iter().map(ReadingView::from).collect();
    Ok(Json(Answer { data: ReadingsData { readings } }).into_response())
}

async fn timetable(
    State(mut clients): State<Clients>,
    Json(asked): Json<Asked<IdVariables>>,
) -> Result<Response, Failed> {
    let found = clients.bench.get_timetable(GetTimetableRequest { id: asked.id() }).await?.into_inner();
    Ok(Json(Answer { data: TimetableData { timetable: TimetableView::from(&found) } }).into_response())
}

async fn list(clients: &mut Clients, limit: i32) -> Result<Vec<Post>, Status> {
    Ok(clients.bench.list_posts(ListPostsRequest { limit }).await?.into_inner().posts)
}
