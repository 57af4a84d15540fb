//! `todo.v1.UserService`: accounts of a to-do list.
//!
//! Passwords and tokens are those of a sample: hashed with the world's dice, good against nothing.
//! The accounts of the world all have the password `turnout-demo`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use super::problem::{check_batch, invalid, not_found};
use super::{KEPT_MAX, lock};
use crate::clock;
use crate::contract::todo::v1::user_service_server::UserService;
use crate::contract::todo::v1::{
    BatchGetTodoUsersRequest, BatchGetTodoUsersResponse, GetTodoUserRequest, GetTodoUserResponse,
    LoginRequest, LoginResponse, RegisterRequest, RegisterResponse, TodoUser,
};
use crate::random::Dice;
use crate::world::World;

/// How many accounts the world has.
pub(super) const ACCOUNTS: u32 = 200;

const PASSWORD: &str = "turnout-demo";
const TOKEN_SECONDS: i64 = 24 * 3600;

/// The accounts.
#[derive(Debug)]
pub(crate) struct TodoUsers {
    world: World,
    changes: Mutex<Changes>,
}

/// Accounts that callers opened, with the hashes of their passwords.
#[derive(Debug, Default)]
struct Changes {
    opened: BTreeMap<u32, (TodoUser, u64)>,
    last: u32,
}

impl TodoUsers {
    pub(crate) fn new(world: World) -> Self {
        let changes = Changes { last: ACCOUNTS, ..Changes::default() };
        Self { world, changes: Mutex::new(changes) }
    }

    fn user(&self, id: u32) -> Option<TodoUser> {
        if (1..=ACCOUNTS).contains(&id) {
            return Some(self.past(id));
        }
        lock(&self.changes).opened.get(&id).map(|(user, _)| user.clone())
    }

    /// An account of the world.
    fn past(&self, id: u32) -> TodoUser {
        let person = self.world.person(id);
        let nickname = if id.is_multiple_of(3) { String::new() } else { person.name() };
        TodoUser { id, username: username(person.first, id), nickname, created_at: Some(person.joined()) }
    }

    /// The id and the hash of the password of an account.
    fn account(&self, name: &str) -> Option<(u32, u64)> {
        let past = (1..=ACCOUNTS).find(|id| username(self.world.person(*id).first, *id) == name);
        if let Some(id) = past {
            return Some((id, hash(PASSWORD)));
        }
        let changes = lock(&self.changes);
        changes.opened.iter().find(|(_, (user, _))| user.username == name).map(|(id, (_, hash))| (*id, *hash))
    }
}

#[tonic::async_trait]
impl UserService for TodoUsers {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let RegisterRequest { username, password, nickname } = request.into_inner();
        let plain = username.chars().all(|c| c.is_ascii_alphanumeric());
        if !plain || !(3..=32).contains(&username.len()) {
            return Err(invalid("username", "must be 3 to 32 letters or digits"));
        }
        if password.chars().count() < 8 {
            return Err(invalid("password", "must have at least 8 characters"));
        }
        if self.account(&username).is_some() {
            return Err(Status::already_exists(format!("the name {username} is taken")));
        }
        let mut changes = lock(&self.changes);
        changes.last += 1;
        let user = TodoUser { id: changes.last, username, nickname, created_at: Some(clock::now()) };
        changes.opened.insert(user.id, (user.clone(), hash(&password)));
        if changes.opened.len() > KEPT_MAX {
            changes.opened.pop_first();
        }
        Ok(Response::new(RegisterResponse { user: Some(user) }))
    }

    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let LoginRequest { username, password } = request.into_inner();
        let account = self.account(&username).filter(|(_, expected)| *expected == hash(&password));
        // One answer for both mistakes, so that nobody learns which names exist.
        let (id, _) = account.ok_or_else(|| Status::unauthenticated("name or password is wrong"))?;
        let expires = clock::now().seconds + TOKEN_SECONDS;
        let proof = Dice::new(hash(&username), "token", expires as u64).next();
        Ok(Response::new(LoginResponse {
            token: format!("todo.{id}.{expires}.{proof:016x}"),
            expires_at: Some(Timestamp { seconds: expires, nanos: 0 }),
        }))
    }

    async fn get_todo_user(
        &self,
        request: Request<GetTodoUserRequest>,
    ) -> Result<Response<GetTodoUserResponse>, Status> {
        let id = request.get_ref().id;
        let user = Some(self.user(id).ok_or_else(|| not_found("TodoUser", id))?);
        Ok(Response::new(GetTodoUserResponse { user }))
    }

    async fn batch_get_todo_users(
        &self,
        request: Request<BatchGetTodoUsersRequest>,
    ) -> Result<Response<BatchGetTodoUsersResponse>, Status> {
        let ids = request.into_inner().ids;
        check_batch("ids", &ids, 100)?;
        let users = ids.iter().rev().filter_map(|id| self.user(*id)).collect();
        Ok(Response::new(BatchGetTodoUsersResponse { users }))
    }
}

fn username(first: &str, id: u32) -> String {
    format!("{}{id}", first.to_lowercase())
}

fn hash(password: &str) -> u64 {
    Dice::new(0, password, 0).next()
}
